#include "store/local/named_root.h"

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/error.h"
#include "base/os/directory.h"

namespace flox::store {
namespace {

fs::path place_of(const std::string& name) { return fs::path("gcroots") / name; }

}  // namespace

void set_named_root(const LocalStore& store, const std::string& name, const nix::StorePath& path) {
  in_context(fmt::format("making the GC root {}", name), [&] {
    const Directory state(store.state_directory());
    const fs::path place = place_of(name);
    state.make_directory(place.parent_path().native());
    const std::string temporary = ".root-" + to_hex(random_bytes(8));  // not below gcroots
    state.make_link(temporary, path.to_string());
    try {
      state.rename(temporary, state, place.native());
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
