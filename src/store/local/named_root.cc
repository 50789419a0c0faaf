#include "store/local/named_root.h"

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/error.h"
#include "base/os/directory.h"

namespace flox::store {

void set_named_root(const LocalStore& store, const std::string& name, const nix::StorePath& path) {
  in_context(fmt::format("making the GC root {}", name), [&] {
    const Directory state(store.state_directory());
    const fs::path place = fs::path("gcroots") / name;
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

}  // namespace flox::store
