// Frames of ttrpc: ten bytes of header, then the payload.
//
//   offset  size  meaning (big endian)
//   0       4     length of the payload, at most 4 MiB
//   4       4     stream: odd and increasing, chosen by the client; an answer carries its request's
//   8       1     type: 1 request, 2 response, 3 data (streaming only)
//   9       1     flags: 1 sender has closed its half, 2 sender will stream data, 4 no data
#pragma once  // Fuzzed by fuzz/ttrpc_frame.cc.

#include <cstdint>
#include <string>
#include <string_view>

namespace flox::ttrpc {

inline constexpr size_t header_size = 10;
inline constexpr uint32_t max_payload = 4U << 20;

inline constexpr uint8_t type_request = 1;
inline constexpr uint8_t type_response = 2;
inline constexpr uint8_t type_data = 3;
inline constexpr uint8_t flag_remote_open = 2;

struct FrameHeader {
  uint32_t length = 0;
  uint32_t stream = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
};

// From exactly header_size bytes.
FrameHeader decode_header(const char* bytes) noexcept;
// Header and payload as one string. Throws Error(invalid_input) if the payload is over max_payload.
std::string encode_frame(uint32_t stream, uint8_t type, std::string_view payload);

}  // namespace flox::ttrpc
