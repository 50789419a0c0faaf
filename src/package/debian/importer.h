// Debian packages as store paths (docs/explanation/packages.md): one for each package, and one for each named
// package that puts what it needs around its programs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "package/debian/debian.h"
#include "package/debian/import_rules.h"
#include "package/debian/package_tree.h"
#include "package/debian/relocation.h"
#include "package/imported/imported_package.h"
#include "store/local/local_store.h"
#include "trust/sbom/package_file.h"

namespace flox::package {

// Remembers what it imported; make one per command. One thread at a time. The results depend only on the
// content of the .debs (and the rules in this folder), so what was imported once from the same .deb is found
// again by its hash, in ROOT/nix/var/flox/imports.
class Importer {
 public:
  Importer(store::LocalStore& store, Debian& debian) : store_(store), debian_(debian) {}

  // The store path of a named package: its programs with what they need, or the one of the package itself if
  // that is all. Throws Error.
  nix::StorePath package(const std::string& name);
  // The Debian packages that the named one consists of and needs, the named one first. Imports it.
  const std::vector<std::string>& members(const std::string& name);
  // The store path of one Debian package alone. Throws Error (conflict for packages whose libraries need each
  // other in a circle, naming the circle).
  nix::StorePath library(const std::string& name);
  // Imports many library packages, obtaining at once what is not here yet.
  void import_libraries(const std::set<std::string>& names);
  // Does the package ship a shared library where the loader looks by default, in Debian's section for
  // libraries?
  bool is_library(const std::string& name);

  // The directory with this library, of the first package that has it: `packages`, then what those depend on.
  std::optional<Provider> find_library(const std::string& soname, const std::vector<std::string>& packages);
  // The same of one package that is known to have it; nothing if it has not.
  std::optional<Provider> library_of(const std::string& package, const std::string& soname);
  // The store path with this file, of the library packages given, or the interpreter of a script (sh, bash,
  // perl, python3), which is imported for it.
  std::optional<Provider> find_file(const std::string& place, const std::vector<std::string>& packages);

  // What an import gives whose package has one store path, `out`, but for its parts and provenance: `build`
  // has the rest of the record, the name, version, description and license. The path is kept from the
  // collector by the root `root` (keep_import()), and its programs are run if that is asked for. Throws
  // Error.
  ImportedPackage imported(catalog::PackageBuild build, const nix::StorePath& out, const std::string& root,
                           bool run_programs);

  Debian& debian() noexcept { return debian_; }

 private:
  // Obtains at once what importing these packages, each alone, will need.
  void prefetch(const std::set<std::string>& names);
  std::vector<std::string> dependencies(const std::string& name);
  // Those whose libraries a package alone may need: its dependencies and the libraries that the rules add.
  std::vector<std::string> packages_around(const std::string& name);
  bool is_left_out(const std::string& name) const;
  std::optional<std::string> package_with(const std::string& soname,
                                          const std::vector<std::string>& packages);
  std::optional<std::string> package_among(const std::string& soname,
                                           const std::vector<std::string>& packages);
  nix::StorePath import_piece(const std::string& name);
  // Of a package's tree: the paths that its libraries have compiled in, and where they are in the store.
  std::map<std::string, std::map<std::string, std::string>> compiled_paths(const std::string& name,
                                                                           const fs::path& tree,
                                                                           nix::StorePathSet& used);
  nix::StorePath import_application(const std::string& name);
  // Adds what `members` depend on, and what the rules add to those.
  void close(std::vector<std::string>& members);
  void add_dependencies(const std::string& member, const std::function<void(const std::string&)>& add);
  PackageTree make_tree(const std::vector<std::string>& members);
  // Packages with the interpreters of the tree's programs, and with what scripts of a shell call.
  std::set<std::string> needed_by_scripts(const PackageTree& tree);
  std::set<size_t> own_pieces(const std::vector<std::string>& members, const PackageTree& tree);
  std::optional<nix::StorePath> remembered(const std::string& name);
  void remember(const std::string& name, const nix::StorePath& path, const std::set<std::string>& needed);
  fs::path memory_file(const std::string& name);

  store::LocalStore& store_;
  Debian& debian_;
  const ImportRules& rules_ = ImportRules::built_in();
  std::map<std::string, nix::StorePath> libraries_;
  std::map<std::string, nix::StorePath> applications_;
  std::map<std::string, std::vector<std::string>> members_;    // of applications
  std::map<std::string, std::set<std::string>> closures_;      // packages of the libraries that each needs
  std::map<nix::StorePath, std::vector<std::string>> places_;  // files of imported libraries
  std::vector<std::string> in_progress_;
  std::vector<std::set<std::string>> needed_;  // by each library in progress, innermost last
};

// What a Debian package is for bills of materials; `copyright` is its copyright file.
trust::PackageEntry entry_of(const DebianPackage& package, std::string_view copyright);

}  // namespace flox::package
