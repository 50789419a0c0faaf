// Makes a tree of files that was made for /usr or for a build directory live in a store path: programs find
// their loader and libraries in other store paths, links and shebangs lead to store paths or stay in the
// tree.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nix/path_info.h"
#include "store/local/local_store.h"

namespace flox::package {

namespace fs = std::filesystem;

// Whether the loader looks there by itself: "lib", "lib64", "lib/x86_64-linux-gnu". Below a package's /usr.
bool is_default_library_directory(std::string_view directory);

// A file or directory in a store path; `place` is relative to it ("lib/x86_64-linux-gnu", "bin/sh").
struct Provider {
  nix::StorePath path;
  std::string place;
  std::string to_string() const { return path.to_string() + "/" + place; }
};

// What a tree finds outside itself: how Debian packages, builds and copied programs differ.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // The directory that holds a shared library, named as in DT_NEEDED ("libz.so.1"). Nothing if unknown.
  // `search_path` is where the program that needs it looks first (its RUNPATH).
  virtual std::optional<Provider> library(const std::string& soname,
                                          const std::vector<std::string>& search_path) = 0;
  // The file or directory that Debian has at a place (deb_file.h): "bin/sh",
  // "lib/x86_64-linux-gnu/libz.so.1".
  virtual std::optional<Provider> file(const std::string& place) = 0;
  // The program that "#!/usr/bin/env NAME" would find; nothing leaves the line alone.
  virtual std::optional<Provider> program(const std::string& name) = 0;
  // Nobody has this library. Throws, or notes it and goes on.
  virtual void missing(const std::string& soname, const std::string& needed_by) = 0;
  // Something that could not be relocated and is left as it is, for people.
  virtual void note(const std::string& line) = 0;
  // Whether links that lead to no store path are left out of the tree: they would lead to files of whatever
  // machine the package runs on. Otherwise they stay, and publishing refuses them.
  virtual bool drops_foreign_links() const { return false; }
};

// A new directory on the store's file system, removed with all that is left in it when the object goes.
class BuildDirectory {
 public:
  explicit BuildDirectory(store::LocalStore& store) : path_(store.make_build_directory()) {}
  BuildDirectory(const BuildDirectory&) = delete;
  ~BuildDirectory();
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

struct Tree {
  fs::path directory;       // changed in place, moved into the store
  std::string name;         // of the store path, after the digest
  std::string placeholder;  // 32 base-32 digits that stand for the tree's own digest in its files
  std::vector<std::string>
      origins;  // absolute directories whose content the tree is: "/usr", "/", a build's $out
  nix::StorePathSet candidates;  // store paths that the files may refer to already
  // Texts that programs have compiled in, by the program's place, and what they have instead (elf_patch.h).
  std::map<std::string, std::map<std::string, std::string>> texts = {};
  // Looks at the relocated tree before it is added, with the store paths that it may refer to; what it throws
  // keeps the tree out of the store. May be empty.
  std::function<void(const fs::path& tree, const nix::StorePathSet& candidates)> inspect = {};
};

// A placeholder digest derived from `text`: same text, same digest.
std::string placeholder_digest(std::string_view text);

// Relocates the tree and adds it to the store. The rules, file by file:
// - a program's loader is the C library's store path; its RUNPATH, and that of a shared library, is the
//   directories that hold what it needs: $ORIGIN-relative inside the tree, store paths otherwise. A tree that
//   is itself the C library is left alone: its loader and libc.so.6 must not be edited.
// - code that can end a thread early (pthread_exit, pthread_cancel, thrd_exit) additionally needs
// libgcc_s.so.1,
//   which glibc would otherwise look for in /lib only, and abort;
// - symbolic links into the tree are relative, those to a file that another store path has lead there;
// - "#!INTERPRETER" of executable files leads to a store path, or to the tree itself.
// Every edited program is read again and compared with what was wanted. Throws Error naming the file.
nix::PathInfo relocate(store::LocalStore& store, Tree tree, Surroundings& surroundings);

}  // namespace flox::package
