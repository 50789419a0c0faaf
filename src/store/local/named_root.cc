#include "store/local/named_root.h"

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/replaced_link.h"
#include "nix/base32.h"

namespace flox::store {
namespace {

fs::path place_of(const std::string& name) { return fs::path("gcroots") / name; }

// What the root's link is called until it has its name: not below gcroots, where it would be a root, too.
std::string unfinished_name(const std::string& name) {
  return ".root-" + nix::to_base32(bytes_of(sha256(name))) + ".new";
}

}  // namespace

void set_named_root(const LocalStore& store, const std::string& name, const nix::StorePath& path) {
  in_context(fmt::format("making the GC root {}", name), [&] {
    const Directory state(store.state_directory());
    const fs::path place = place_of(name);
    const Directory roots = state.make_directory(place.parent_path().native());
    const std::string temporary = unfinished_name(name);
    try {
      replace_link(roots, place.filename().native(), path.to_string(), state, temporary);
    } catch (const Error&) {
      state.remove(temporary);
      throw;
    }
  });
}

std::optional<nix::StorePath> named_root(const LocalStore& store, const std::string& name) {
  return in_context(fmt::format("reading the GC root {}", name), [&]() -> std::optional<nix::StorePath> {
    const fs::path place = place_of(name);
    const Directory state(store.state_directory());
    if (!state.exists(place.native())) return std::nullopt;
    return nix::StorePath::parse(state.read_link(place.native()));
  });
}

void remove_named_root(const LocalStore& store, const std::string& name) {
  in_context(fmt::format("removing the GC root {}", name),
             [&] { Directory(store.state_directory()).remove(place_of(name).native()); });
}

}  // namespace flox::store
