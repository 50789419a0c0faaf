// All that a node needs, in one archive that runs on any Linux of its architecture: the programs and the
// runtime closure as store paths with everything that they need, the C library and its loader included, and a
// file that says what they are.
//
//   nix/store/…            the closure
//   opt/flox/bundle.json   what it is: {"programs": PATH, "runtime": PATH, "closure": [{path, narHash,
//   narSize, references, ca}]} opt/flox/bin           a link to the programs
//   opt/flox/share         one to their manual pages and the shells' completions
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "nix/path_info.h"
#include "store/local/local_store.h"

namespace flox::node {

namespace fs = std::filesystem;

struct Bundle {
  nix::StorePath programs, runtime;
  std::vector<nix::PathInfo> closure;  // of both
};

// Makes it in the store from the programs in the directory. Throws Error.
Bundle make_bundle(store::LocalStore& store, const fs::path& programs,
                   const std::function<void(std::string_view)>& on_step);
// Replaces the archive; the same bundle gives the same bytes. Throws Error.
void write_bundle(const store::LocalStore& store, const Bundle& bundle, const fs::path& archive);

// The bundle that lies unpacked below `root`; nothing if there is none. Throws Error(invalid_input) for a
// damaged one.
std::optional<Bundle> find_bundle(const fs::path& root);
// Makes the unpacked bundle's files valid paths of the store below the same root, once their hashes are found
// right, and keeps them from the collector. Throws Error(untrusted) for a path that is not what the bundle
// says.
void adopt_bundle(store::LocalStore& store, const Bundle& bundle);
// Copies the bundle that lies below `from` into the store of another root, and opt/flox too. What is there
// already stays.
void copy_bundle(const fs::path& from, const fs::path& to);
// Lets the collector have the bundle's programs again; removes opt/flox.
void forget_bundle(const fs::path& root);

}  // namespace flox::node
