// Reads a NAR as a stream and says what is in it: for whoever does more with one than unpack it (nar.h).
#pragma once  // Fuzzed by fuzz/nar.cc.

#include <cstdint>
#include <memory>
#include <string_view>

namespace flox::nix {

// What a NarParser tells, in the order of the archive. What these throw, feed() throws.
class NarHandler {
 public:
  virtual ~NarHandler() = default;
  // The next node's, in the innermost open directory; the top has none.
  virtual void name(std::string_view name) = 0;
  virtual void begin_directory() = 0;
  virtual void end_directory() = 0;
  virtual void symlink(std::string_view target) = 0;
  virtual void begin_regular(bool executable, uint64_t size) = 0;
  // Of the file that was begun: pieces as they come, `size` bytes in all.
  virtual void contents(std::string_view piece) = 0;
  virtual void end_regular() = 0;
  // The bytes between contents, before what they say is told: all of these and of contents(), one after the
  // other, are the NAR.
  virtual void structure(std::string_view bytes) { static_cast<void>(bytes); }
};

// Strict as current Nix is (docs/formats/nar.md): bad names, unsorted entries, truncation, trailing bytes,
// depth over 64 are Error(invalid_input). In constant memory. One thread at a time.
class NarParser {
 public:
  explicit NarParser(NarHandler& handler);  // which must outlive it
  NarParser(NarParser&&) noexcept;
  ~NarParser();
  void feed(std::string_view piece);
  // Throws Error(invalid_input) unless the NAR was complete.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::nix
