// Whether the files of the store are what was registered.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/local_store.h"

namespace flox::store {

struct Damage {
  StorePath path;
  std::string problem;  // "its files are missing", "its NAR hash is …"
};

// Hashes every valid path on all cores, reading the whole store. `on_path`, if given, is called after each
// path, one call at a time.
std::vector<Damage> verify(const LocalStore& store, const std::function<void()>& on_path = {});

}  // namespace flox::store
