// The multiplexer of NRI: several ttrpc connections on one Unix socket (docs/formats/nri.md). Frames:
//
//   offset  size  meaning (big endian)
//   0       4     connection: 1 the plugin's services, 2 the runtime's
//   4       4     length of the payload, at most ttrpc's header and largest payload
//   8             payload: bytes of a ttrpc frame
#pragma once  // Fuzzed by fuzz/nri_frame.cc.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ttrpc/frame.h"

namespace flox::node {

inline constexpr size_t mux_header_size = 8;
inline constexpr uint32_t plugin_connection = 1;
inline constexpr uint32_t runtime_connection = 2;
inline constexpr uint32_t max_mux_payload = ttrpc::header_size + ttrpc::max_payload;

// One ttrpc frame as frames of the multiplexer. containerd reads the bytes of a connection through a buffer
// of 4096, into which each of our frames must fit whole as long as it holds a frame's begin, so a larger one
// is cut there, and there alone: a connection of containerd's also queues no more than 256 frames.
std::string to_mux_frames(uint32_t connection, std::string_view ttrpc_frame);

// A part of one connection's bytes.
struct MuxPart {
  uint32_t connection;
  std::string_view bytes;  // of what was given to split()
};

// Takes the trunk's bytes apart as they come. Holds no payload, whatever a header announces.
class Demultiplexer {
 public:
  // What these bytes hold of connections 1 and 2, in order. Bytes of other connections are dropped, as
  // containerd drops those that it does not know. Throws Error(invalid_input) for a frame that is too large:
  // the trunk is then of no more use.
  std::vector<MuxPart> split(std::string_view bytes);
  // Whether what has come ends with a whole frame.
  bool at_boundary() const noexcept { return held_ == 0 && left_ == 0; }

 private:
  std::array<char, mux_header_size> header_{};
  size_t held_ = 0;  // bytes of the header
  uint32_t connection_ = 0;
  size_t left_ = 0;  // bytes of the payload that are still to come
};

}  // namespace flox::node
