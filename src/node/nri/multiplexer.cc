#include "node/nri/multiplexer.h"

#include <algorithm>

#include "base/error.h"

namespace flox::node {
namespace {

constexpr size_t reader_buffer = 4096;  // of containerd's

void append_number(std::string& text, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((number >> shift) & 0xff);
}

uint32_t number_at(const char* bytes) {
  uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

}  // namespace

std::string to_mux_frames(uint32_t connection, std::string_view ttrpc_frame) {
  std::string frames;
  frames.reserve(ttrpc_frame.size() + 2 * mux_header_size);
  for (size_t size = std::min(ttrpc_frame.size(), reader_buffer); size > 0; size = ttrpc_frame.size()) {
    append_number(frames, connection);
    append_number(frames, static_cast<uint32_t>(size));
    frames += ttrpc_frame.substr(0, size);
    ttrpc_frame.remove_prefix(size);
  }
  return frames;
}

std::vector<MuxPart> Demultiplexer::split(std::string_view bytes) {
  std::vector<MuxPart> parts;
  while (!bytes.empty()) {
    if (left_ == 0) {
      const size_t size = std::min(bytes.size(), mux_header_size - held_);
      std::copy_n(bytes.data(), size, header_.data() + held_);
      held_ += size;
      bytes.remove_prefix(size);
      if (held_ < mux_header_size) break;
      held_ = 0;
      connection_ = number_at(header_.data());
      const uint32_t length = number_at(header_.data() + 4);
      if (length > max_mux_payload)
        fail(ErrorKind::invalid_input, "a frame of {} bytes, more than {}", length, max_mux_payload);
      left_ = length;
      continue;
    }
    const std::string_view payload = bytes.substr(0, left_);
    if (connection_ == plugin_connection || connection_ == runtime_connection)
      parts.push_back({connection_, payload});
    left_ -= payload.size();
    bytes.remove_prefix(payload.size());
  }
  return parts;
}

}  // namespace flox::node
