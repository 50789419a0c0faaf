// Where the frames of NARs come from (docs/formats/nar-index.md): caches, peers, other paths of this store.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace flox::lazy {

// Safe to use by several threads at once.
class FrameSource {
 public:
  // Of a frame: a reader waits for it, one will probably, or it makes the path whole some day.
  enum class Urgency { now, soon, later };
  // What a frame decompresses to, or an errno. The answer says whether every chunk in it is what the index
  // says; if not, the source brings the frame from elsewhere, and gives EIO when there is nowhere else. It
  // does not throw.
  using Take = std::function<bool(int error, std::string_view nar)>;

  virtual ~FrameSource() = default;
  // Does not block. `take` is called on a thread of the source's, never in this call, until it answers true
  // or got an error. Asking again for a frame that is under way, more urgently, is allowed: it is brought
  // once.
  virtual void fetch(uint32_t frame, Urgency urgency, Take take) = 0;
  // Why the last frame that could not be brought was not; empty: there was none.
  virtual std::string last_failure() const { return {}; }
};

}  // namespace flox::lazy
