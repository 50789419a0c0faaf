// What is in a NAR and where: the ".ls" files of binary caches (docs/formats/binary-cache.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace flox::nix {

struct Listing {
  enum class Type { regular, directory, symlink };
  Type type = Type::regular;
  uint64_t size = 0;  // of a regular file, bytes
  bool executable = false;
  uint64_t nar_offset = 0;                 // of a regular file's data in the NAR
  std::string target;                      // of a symlink
  std::map<std::string, Listing> entries;  // of a directory

  // {"version":1,"root":…}; bytes of names that are no UTF-8 are replaced.
  std::string to_json() const;
};

// Of the NAR that write_nar makes of the tree, without reading its files. `nar_size`, if given, gets the
// NAR's size. Throws Error as write_nar does.
Listing list_tree(const std::filesystem::path& path, uint64_t* nar_size = nullptr);

}  // namespace flox::nix
