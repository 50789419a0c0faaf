// Where the parts of a store are on the disk (docs/formats/store-database.md).
#pragma once

#include <filesystem>

namespace flox::store {

struct StoreLayout {
  // Makes what is missing, unless the state is on a read-only file system. Throws Error, with advice where it
  // may not be written.
  explicit StoreLayout(const std::filesystem::path& root);

  std::filesystem::path root;   // absolute
  std::filesystem::path store;  // ROOT/nix/store
  std::filesystem::path state;  // ROOT/nix/var/nix
  bool read_only = false;       // the state is on a read-only file system: nothing can be written
  // All of these are on the store's mount, so that trees can be moved between them and the store; but of a
  // store that another machine writes, whose mount is read-only, below the state, where nothing comes of
  // them.
  std::filesystem::path scratch;  // trees that are being made
  std::filesystem::path staging;  // complete trees that wait for being installed
  std::filesystem::path trash;    // what is not part of the store any more
};

}  // namespace flox::store
