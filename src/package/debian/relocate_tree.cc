#include "package/debian/relocate_tree.h"

#include <map>
#include <sstream>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "package/debian/deb_file.h"
#include "package/debian/importer.h"
#include "package/elf.h"

namespace flox::package {
namespace {

// Where this machine's loader finds libraries: its cache, as `ldconfig -p` prints it.
class HostLibraries {
 public:
  HostLibraries() {
    std::istringstream output(run_checked({.argv = {"/sbin/ldconfig", "-p"}, .env = {{"LC_ALL", "C"}}}));
    for (std::string line;
         std::getline(output, line);) {  // "\tlibz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1"
      size_t name_end = line.find(" ("), arrow = line.find(" => ");
      if (!line.starts_with('\t') || name_end == std::string::npos || arrow == std::string::npos) continue;
      std::string kind = line.substr(name_end, arrow - name_end);
      bool native = kind.find("x86-64") != std::string::npos || kind.find("AArch64") != std::string::npos;
      bool plain = kind.find("hwcap") == std::string::npos;
      if (native && plain) cache_.emplace(line.substr(1, name_end - 1), line.substr(arrow + 4));
    }
  }

  std::optional<fs::path> find(const std::string& soname, const std::vector<std::string>& search_path) const {
    for (const auto& directory : search_path)
      if (directory.starts_with('/') && fs::exists(fs::path(directory) / soname))
        return fs::path(directory) / soname;
    auto found = cache_.find(soname);
    if (found != cache_.end()) return found->second;
    for (const char* directory :
         {"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/lib", "/usr/lib"})
      if (fs::exists(fs::path(directory) / soname)) return fs::path(directory) / soname;
    return std::nullopt;
  }

 private:
  std::map<std::string, fs::path> cache_;
};

class HostSurroundings : public Surroundings {
 public:
  HostSurroundings(store::LocalStore& store, Importer& importer, const RelocateOptions& options)
      : store_(store), importer_(importer), options_(options) {
    if (options.use_machine) host_.emplace();
  }

  // Finds the packages of all libraries that the tree needs at once: asking dpkg and apt takes long.
  void prepare(const fs::path& tree) {
    if (!host_) return;
    std::set<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(tree)) {
      if (entry.symlink_status().type() != fs::file_type::regular) continue;
      auto elf = read_elf(entry.path());
      if (!elf) continue;
      auto names = elf->needed;
      names.insert(names.end(), elf->needed_later.begin(), elf->needed_later.end());
      if (!elf->interpreter.empty()) names.push_back(fs::path(elf->interpreter).filename().string());
      for (const auto& name : names)
        if (!in_packages("lib/" + name))
          if (auto file = host_->find(name, elf->search_path)) files.insert(*file);
    }
    owners_ = importer_.debian().owners(files);
    std::set<std::string> packages;
    for (const auto& [file, package] : owners_) packages.insert(package);
    importer_.import_libraries(packages);
  }

  std::optional<Provider> library(const std::string& soname,
                                  const std::vector<std::string>& search_path) override {
    if (auto provider = in_packages("lib/" + soname))
      return Provider{provider->path, fs::path(provider->place).parent_path().string()};
    if (!host_) return in_candidates(soname);
    auto file = host_->find(soname, search_path);
    if (!file) return std::nullopt;
    auto package = owner(*file);
    if (!package)
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{} belongs to no Debian package, so it cannot be imported", file->string()),
                  "Copy the library into the tree's lib directory: what is found there is used first.");
    return importer_.library_of(*package, soname);
  }
  std::optional<Provider> file(const std::string& place) override {
    if (auto provider = in_packages(place)) return provider;
    if (!options_.use_machine) return std::nullopt;
    if (auto provider = importer_.find_file(place, {})) return provider;
    for (const std::string prefix : {"/usr/", "/"}) {
      if (!fs::exists(prefix + place)) continue;
      auto package = owner(prefix + place);
      if (package && importer_.is_library(*package)) return importer_.find_file(place, {*package});
    }
    return std::nullopt;
  }
  std::optional<Provider> program(const std::string& name) override {
    if (auto provider = in_packages("bin/" + name)) return provider;
    if (!options_.use_machine) return std::nullopt;
    return importer_.find_file("bin/" + name, {});
  }
  void missing(const std::string& soname, const std::string& needed_by) override {
    throw Error(ErrorKind::not_found,
                options_.use_machine ? fmt::format("{} needs {}, which is not in the tree, its environment "
                                                   "or this machine's library directories",
                                                   needed_by, soname)
                                     : fmt::format("{} needs {}, which is not in the tree or its environment",
                                                   needed_by, soname),
                options_.use_machine
                    ? "Install the Debian package that has it, or copy it into the tree's lib directory."
                    : "Install a package that has it into the environment, or copy it into $out/lib.");
  }
  void note(const std::string& line) override { importer_.debian().step("note: " + line); }

 private:
  // A file of the given packages: the store path that really has it (profiles and packages link to others).
  std::optional<Provider> in_packages(const std::string& place) const {
    for (const auto& package : options_.packages)
      if (fs::exists(fs::symlink_status(store_.real_path(package) / place))) return Provider{package, place};
    return std::nullopt;
  }
  // A library of what the packages need, which has it in lib or lib/<triplet> itself, not as a link to
  // another.
  std::optional<Provider> in_candidates(const std::string& soname) const {
    for (const auto& path : options_.candidates)
      for (const char* directory : {"lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"}) {
        std::error_code error;
        const fs::path real = fs::canonical(store_.real_path(path) / directory / soname, error);
        if (!error && real.string().starts_with(fs::canonical(store_.real_path(path)).string() + "/"))
          return Provider{path, directory};
      }
    return std::nullopt;
  }
  std::optional<std::string> owner(const fs::path& file) {
    if (!owners_.contains(file)) owners_.merge(importer_.debian().owners({file}));
    auto found = owners_.find(file);
    return found == owners_.end() ? std::nullopt : std::optional(found->second);
  }

  store::LocalStore& store_;
  Importer& importer_;
  const RelocateOptions& options_;
  std::optional<HostLibraries> host_;  // if the machine's may be used
  std::map<fs::path, std::string> owners_;
};

}  // namespace

nix::PathInfo relocate_tree(store::LocalStore& store, const fs::path& directory, const std::string& name,
                            const RelocateOptions& options) {
  return in_context("relocating " + name, [&] {
    Debian debian(options.debian);
    Importer importer(store, debian);
    HostSurroundings surroundings(store, importer, options);
    surroundings.prepare(directory);

    BuildDirectory work(store);
    fs::path tree = work.path() / "tree";
    fs::copy(directory, tree, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    nix::StorePathSet candidates = options.candidates;
    candidates.insert(options.packages.begin(), options.packages.end());
    return relocate(
        store,
        {.directory = tree,
         .name = name,
         .placeholder = options.placeholder.empty() ? placeholder_digest("tree") : options.placeholder,
         .origins = options.origins,
         .candidates = candidates,
         .inspect = options.inspect},
        surroundings);
  });
}

}  // namespace flox::package
