// containerd's bytes on a plugin's socket, in two pieces cut anywhere.
#include <algorithm>
#include <map>

#include "fuzz.h"
#include "node/nri/multiplexer.h"

namespace flox::fuzz::of_nri_frame {
namespace {

using Streams = std::map<uint32_t, std::string>;

// The bytes of each connection; `whole`: all frames have ended.
bool split(std::initializer_list<std::string_view> pieces, Streams& streams, bool& whole) {
  node::Demultiplexer trunk;
  return accepts([&] {
    for (const std::string_view piece : pieces)
      for (const node::MuxPart& part : trunk.split(piece)) streams[part.connection] += part.bytes;
    whole = trunk.at_boundary();
  });
}

}  // namespace

void one(std::string_view input) {
  if (input.empty()) return;
  const size_t cut = std::min<size_t>(static_cast<unsigned char>(input.front()), input.size() - 1);
  input.remove_prefix(1);
  Streams together, apart;
  bool whole = false, whole_apart = false;
  const bool good = split({input}, together, whole);
  require(split({input.substr(0, cut), input.substr(cut)}, apart, whole_apart) == good,
          "where the bytes are cut does not matter");
  if (!good) return;
  require(together == apart && whole == whole_apart, "nor to what they are");
  size_t size = 0;
  for (const auto& [connection, bytes] : together) {
    require(connection == 1 || connection == 2, "other connections are dropped");
    size += bytes.size();
    Streams again;
    bool ended = false;
    require(split({node::to_mux_frames(connection, bytes)}, again, ended) && ended &&
                again == Streams{{connection, bytes}},
            "what was read is written as it was");
  }
  require(size <= input.size(), "nothing is made up");
}

}  // namespace flox::fuzz::of_nri_frame
