// The files of store paths, read without ever following a link where it leads: each step of a link is
// resolved here, and none leaves the store. What packages hold is written by their authors, who are not to
// choose which of the host's files a program of ours looks at.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/os/directory.h"

namespace flox::store {

// Immutable. Thread-safe.
class StoreTree {
 public:
  // Where a name leads to: relative to the store's directory, without a link in it, and what is there.
  struct Place {
    std::string path;  // "DIGEST-NAME/bin/web"
    mode_t mode = 0;   // st_mode
    bool is_directory() const noexcept { return S_ISDIR(mode); }
  };
  // Whether a link may lead into the store path with this base name.
  using MayEnter = std::function<bool(std::string_view base_name)>;

  // The store's real directory; absolute links to the logical one, /nix/store, are resolved in it.
  explicit StoreTree(const std::filesystem::path& store_directory);

  // What `path`, relative to the store's directory, leads to; nothing if it is missing, or dangles within the
  // store. At most 40 links. Throws Error(untrusted), with the link and its target, if one leads out of the
  // store, into a path that may not be entered, or in a circle. Adds the steps that it took, at most 4096, to
  // `steps`.
  std::optional<Place> resolve(std::string_view path, const MayEnter& may_enter,
                               size_t* steps = nullptr) const;

  // What is there without following it; nothing if it is missing. No component before the last may be a link.
  std::optional<struct stat> status(std::string_view path) const { return store_.status(path); }
  // A directory in which nothing is followed, at a place that resolve() gave.
  Directory directory(std::string_view place) const { return store_.subdirectory(place); }

 private:
  Directory store_;
};

}  // namespace flox::store
