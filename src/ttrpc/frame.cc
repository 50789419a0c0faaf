#include "ttrpc/frame.h"

#include "base/error.h"

namespace flox::ttrpc {
namespace {

uint32_t read_u32(const char* bytes) {
  auto byte = [&](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  return byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
}

void append_u32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

}  // namespace

FrameHeader decode_header(const char* bytes) noexcept {
  return {read_u32(bytes), read_u32(bytes + 4), static_cast<uint8_t>(bytes[8]),
          static_cast<uint8_t>(bytes[9])};
}

std::string encode_frame(uint32_t stream, uint8_t type, std::string_view payload) {
  if (payload.size() > max_payload)
    fail(ErrorKind::invalid_input, "ttrpc message of {} bytes is over the limit of {}", payload.size(),
         max_payload);
  std::string frame;
  frame.reserve(header_size + payload.size());
  append_u32(frame, static_cast<uint32_t>(payload.size()));
  append_u32(frame, stream);
  frame.push_back(static_cast<char>(type));
  frame.push_back(0);
  frame.append(payload);
  return frame;
}

}  // namespace flox::ttrpc
