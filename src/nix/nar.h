// The NAR archive format (docs/formats/nar.md), as a stream in constant memory.
//
//   nar  = str("nix-archive-1") node
//   node = str("(") str("type") body str(")")
//   body = str("regular") [str("executable") str("")] str("contents") str(BYTES)
//        | str("symlink") str("target") str(TARGET)
//        | str("directory") { str("entry") str("(") str("name") str(NAME) str("node") node str(")") }
//   str  = length as 64 bits little-endian, the bytes, zeros up to a multiple of 8
#pragma once  // Fuzzed by fuzz/nar.cc and fuzz/reference_scanner.cc.

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/sha256.h"

namespace flox::nix {

// Levels of directories that a NAR may have, written or read; current Nix refuses more.
inline constexpr size_t max_nar_depth = 64;

// Writes the NAR of the tree at `path`, from its byte `first` on; contents of files before that are not read.
// Throws Error for devices, fifos, sockets and unreadable files.
void write_nar(const std::filesystem::path& path, const ByteSink& sink, uint64_t first = 0);

// Called with each file and directory before it is read (its descriptor), and with each symlink (-1). May
// throw.
using NodeVisitor = std::function<void(int fd, const struct stat& status, const std::string& path)>;
// Writes the NAR of a tree that a stranger may have made, showing each node to `visit`. A tree of more than
// `most_nodes` nodes, or of directories whose names take more than 32 MiB, is Error(invalid_input), before so
// many names are in memory.
void write_nar_of_stranger(const std::filesystem::path& path, const ByteSink& sink, const NodeVisitor& visit,
                           uint64_t most_nodes);

// Unpacks a NAR that comes piece by piece to `destination`, which must not exist, with canonical metadata
// (0444/0555, mtime 1). Strict as current Nix is (docs/formats/nar.md): bad names, unsorted entries,
// truncation, trailing bytes, depth over 64 are Error(invalid_input). Never follows a symlink, never writes
// outside `destination`. On error the caller removes what is there. One thread at a time.
class NarUnpacker {
 public:
  // Who may set modes (chmod): the unpacker, or somebody who looks at the tree later. Then directories have
  // the mode 0700, and files theirs but for umask and default ACLs.
  enum class SetModes { now, later };
  explicit NarUnpacker(const std::filesystem::path& destination, SetModes set_modes = SetModes::now);
  NarUnpacker(NarUnpacker&&) noexcept;
  ~NarUnpacker();
  void feed(std::string_view piece);
  // Throws Error(invalid_input) unless the NAR was complete.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Finds which of the `candidates` (32-character digests) occur in a stream (docs/formats/store-path.md),
// across piece borders.
class ReferenceScanner {
 public:
  explicit ReferenceScanner(std::set<std::string> candidates);
  void update(std::string_view piece);
  const std::set<std::string>& found() const noexcept { return found_; }

 private:
  void scan(std::string_view text);

  std::set<std::string, std::less<>> candidates_;  // those not found yet
  std::set<std::string> found_;
  std::string tail_;
};

// Passes a stream on with every occurrence of one text replaced by another of the same length, also across
// piece borders.
class Replacer {
 public:
  // `from` must not be empty; `to` must be as long.
  Replacer(std::string from, std::string to, ByteSink sink);
  void update(std::string_view piece);
  // Passes on what was held back. Call once.
  void finish();
  // Where in the stream `from` began.
  const std::vector<uint64_t>& offsets() const noexcept { return offsets_; }

 private:
  std::string from_;
  std::string to_;
  ByteSink sink_;
  std::string pending_;  // the end of what came, which may be the start of an occurrence
  uint64_t passed_ = 0;  // bytes before `pending_`
  std::vector<uint64_t> offsets_;
};

// The hash of a NAR modulo one digest (docs/formats/store-path.md): every occurrence of the digest counts as
// zeros, and the offsets of the occurrences are hashed behind the NAR. Without occurrences it is the plain
// SHA-256.
class ModuloHash {
 public:
  explicit ModuloHash(const std::string& digest);
  ModuloHash(const ModuloHash&) = delete;
  ModuloHash& operator=(const ModuloHash&) = delete;
  void update(std::string_view piece) { replacer_.update(piece); }
  // Call once.
  Sha256Digest finish();
  // Valid after finish().
  bool occurs() const noexcept { return !replacer_.offsets().empty(); }

 private:
  Sha256 hash_;
  Replacer replacer_;
};

}  // namespace flox::nix
