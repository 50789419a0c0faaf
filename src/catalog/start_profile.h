// What a start has read of the files of its closure (docs/formats/start-profile.md).
#pragma once  // Fuzzed by fuzz/start_profile.cc.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nix/store_path.h"
#include "store/index/file_range.h"

namespace flox::catalog {

struct ReadPath {
  nix::StorePath path;
  std::vector<store::FileRange> ranges;  // none: nothing of it was read
};

// A value. It is a hint and nothing more: what it names is fetched and verified as if somebody had read it.
struct StartProfile {
  // More is not kept.
  static constexpr size_t most_bytes = 4 << 20;  // of to_text()
  static constexpr size_t most_ranges = 20'000;
  static constexpr uint64_t most_read = 512ULL << 20;  // bytes of files, together

  static constexpr size_t most_packages = 1000;
  static constexpr size_t most_paths = 20'000;

  using Path = ReadPath;
  std::vector<Path> paths;  // of the closure, all that were not there before
  // Of the environment: for other nodes, which find the profile by them. None: it does not say.
  std::vector<nix::StorePath> packages = {};

  // Reads what to_text() wrote. Throws Error(invalid_input) for everything else.
  static StartProfile parse(std::string_view text);
  std::string to_text() const;

  // What is to be read of these paths: what was read of each, or of another version of it
  // (store::package_stem). A path of which nothing was is left out.
  StartProfile for_closure(const std::vector<nix::StorePath>& closure) const;
  bool has(const nix::StorePath& path) const;
  // With what an earlier start has read of the same paths, as far as both fit.
  void add(const StartProfile& earlier);
  // With what starts on another node have read, of the other's paths, too, as far as that fits.
  void merge(const StartProfile& other);
  // The same with what was published before: another version of a path that this one names goes.
  void merge_earlier(StartProfile earlier);
  // Whether one of its packages is one of these, or another version of one.
  bool is_of_one_of(const std::vector<nix::StorePath>& others) const;
  // What it names, together.
  struct Size {
    size_t ranges = 0;
    uint64_t bytes = 0;  // of files
  };
  Size size() const;
};

// What versions of one package have in common.
std::string start_profile_stem(const nix::StorePath& path);

}  // namespace flox::catalog
