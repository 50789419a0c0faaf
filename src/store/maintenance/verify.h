// Verifying: compares the files of the store with their registered hashes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

struct Damage {
  StorePath path;
  std::string problem;  // "its files are missing", "its NAR hash is …"
};

struct VerifyOptions {
  StorePathSet paths;    // empty: all valid ones
  bool contents = true;  // read every file and compare hashes; otherwise only check that the paths exist
  std::function<void(const StorePath&, uint64_t nar_size)> on_path;  // after each, one call at a time
};

// The damaged paths, in order. Hashes on all cores, the largest path first. A path that is collected
// meanwhile is not damaged. Throws Error(not_found) if one of `paths` is not valid.
std::vector<Damage> verify(const LocalStore& store, const VerifyOptions& options = {});

}  // namespace flox::store
