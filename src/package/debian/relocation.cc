#include "package/debian/relocation.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "nix/base32.h"
#include "package/debian/deb_file.h"
#include "package/elf.h"
#include "package/elf_patch.h"

namespace flox::package {
namespace {

constexpr size_t max_script = size_t{64} << 20;  // bytes, of which the first line changes

void append_once(std::vector<std::string>& list, std::string entry) {
  if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(std::move(entry));
}

std::string parent_of(const std::string& place) { return fs::path(place).parent_path().string(); }

class Relocator {
 public:
  Relocator(store::LocalStore& store, Tree& tree, Surroundings& surroundings)
      : store_(store),
        tree_(tree),
        root_(tree.directory),
        surroundings_(surroundings),
        used_(tree.candidates) {}

  nix::PathInfo run() {
    index();
    for (const auto& place : links_) in_context(tree_.name + ": " + place, [&] { relocate_link(place); });
    for (const auto& place : files_) in_context(tree_.name + ": " + place, [&] { relocate_file(place); });
    if (tree_.inspect) tree_.inspect(tree_.directory, used_);
    return store_.add_tree(tree_.directory, tree_.name, used_, tree_.placeholder);
  }

 private:
  void index() {
    for (const auto& entry : fs::recursive_directory_iterator(tree_.directory)) {
      std::string place = entry.path().lexically_relative(tree_.directory).string();
      auto type = entry.symlink_status().type();
      if (type == fs::file_type::symlink) links_.push_back(place);
      if (type == fs::file_type::regular) files_.push_back(place);
      if (type != fs::file_type::directory && place.find(".so") != std::string::npos)
        libraries_[entry.path().filename().string()].push_back(parent_of(place));
    }
    for (auto* list : {&links_, &files_}) std::sort(list->begin(), list->end());
    for (auto& [name, directories] : libraries_) std::sort(directories.begin(), directories.end());
    is_c_library_ = libraries_.contains("libc.so.6");
  }

  bool has(const std::string& place) const { return fs::exists(fs::symlink_status(tree_.directory / place)); }
  bool has_library(const std::string& directory, const std::string& name) const {
    auto found = libraries_.find(name);
    return found != libraries_.end() &&
           std::binary_search(found->second.begin(), found->second.end(), directory);
  }
  // Where an absolute path is in the tree, if it is one of the tree's origins' and the tree has it.
  std::optional<std::string> place_in_tree(const std::string& path) const {
    for (const auto& origin : tree_.origins) {
      auto relative = fs::path(path).lexically_normal().lexically_relative(origin).string();
      if (relative.empty() || relative == "." || relative.starts_with("..")) continue;
      while (relative.ends_with('/')) relative.pop_back();
      if (has(relative)) return relative;
    }
    return std::nullopt;
  }
  std::string own(const std::string& place) const {
    return fmt::format("{}/{}-{}/{}", nix::store_dir, tree_.placeholder, tree_.name, place);
  }
  std::string use(const Provider& provider) {
    used_.insert(provider.path);
    return provider.to_string();
  }

  static bool leads_out(const std::string& place, const std::string& target) {
    return target.starts_with('/') ||
           (fs::path(parent_of(place)) / target).lexically_normal().string().starts_with("..");
  }
  void relocate_link(const std::string& place) {
    std::string target = root_.read_link(place);
    std::string wanted = target;
    if (!target.starts_with('/')) {
      std::string goal = (fs::path(parent_of(place)) / target).lexically_normal().string();
      while (goal.ends_with('/')) goal.pop_back();
      if (has(goal)) return;
      if (auto provider = surroundings_.file(goal)) wanted = use(*provider);
    } else if (auto inside = place_in_tree(target)) {
      wanted = fs::path(*inside).lexically_relative(fs::path(place).parent_path()).string();
    } else if (target.starts_with(std::string(nix::store_dir) + "/")) {
      return;
    } else if (auto outside = layout_path(target)) {
      if (auto provider = surroundings_.file(*outside)) wanted = use(*provider);
    }
    if (wanted == target) {
      if (surroundings_.drops_foreign_links() && leads_out(place, target)) {
        surroundings_.note(
            fmt::format("left out {}: it points to {}, which is in no store path", place, target));
        root_.remove(place);
        return;
      }
      if (!target.starts_with("/dev/") && !target.starts_with("/proc/") && !target.starts_with("/run/"))
        surroundings_.note(fmt::format("{} points to {}, which is in no store path", place, target));
      return;
    }
    root_.remove(place);
    root_.make_link(place, wanted);
  }

  void relocate_file(const std::string& place) {
    struct stat status {};
    std::array<char, 4> magic{};
    {
      const Fd fd = root_.open(place, O_RDONLY | O_NONBLOCK);
      if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining it");
      if (status.st_size < 4 || read_some(fd.get(), magic.data(), magic.size()) < magic.size()) return;
    }
    if (magic[0] == '#' && magic[1] == '!' && (status.st_mode & 0111) != 0) relocate_shebang(place);
    if (magic == std::array<char, 4>{'\x7f', 'E', 'L', 'F'} && !is_c_library_) relocate_elf(place);
  }

  void relocate_shebang(const std::string& place) {
    std::string content = root_.read_file(place, max_script);
    size_t end = std::min(content.find('\n'), content.size());
    std::string line = content.substr(2, end - 2);
    size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line[begin] != '/') return;
    line.erase(0, begin);
    size_t interpreter_end = std::min(line.find_first_of(" \t"), line.size());
    std::string interpreter = line.substr(0, interpreter_end);
    std::string rest = line.substr(interpreter_end);
    if (interpreter.starts_with(std::string(nix::store_dir) + "/")) return;

    std::string wanted;
    auto interpreter_place = layout_path(interpreter);
    if (interpreter_place == "bin/env") {
      size_t name_begin = rest.find_first_not_of(" \t");
      if (name_begin == std::string::npos) return;
      std::string name = rest.substr(name_begin, rest.find_first_of(" \t", name_begin) - name_begin);
      if (name.starts_with('-')) return;  // env's own options, as in "env -S": env itself must run
      if (has("bin/" + name)) {
        wanted = own("bin/" + name);
      } else if (auto provider = surroundings_.program(name)) {
        wanted = use(*provider);
      } else {
        return;  // found through PATH at run time: what env is for
      }
      rest = rest.substr(std::min(rest.size(), name_begin + name.size()));
    } else if (auto inside = place_in_tree(interpreter)) {
      wanted = own(*inside);
    } else if (interpreter_place) {
      if (auto provider = surroundings_.file(*interpreter_place)) wanted = use(*provider);
    }
    if (wanted.empty()) {
      surroundings_.note(fmt::format("{} starts with #!{}, which is in no store path", place, interpreter));
      return;
    }
    root_.write_file(place, fmt::format("#!{}{}{}", wanted, rest, std::string_view(content).substr(end)),
                     0755);
  }

  // "$ORIGIN" or "$ORIGIN/../lib", from the directory of `place` to `directory`.
  static std::string from_origin(const std::string& place, const std::string& directory) {
    std::string relative =
        (fs::path("/") / directory).lexically_relative(fs::path("/") / parent_of(place)).string();
    return relative == "." || relative.empty() ? "$ORIGIN" : fmt::format("$ORIGIN/{}", relative);
  }

  struct SearchPath {
    std::vector<std::string> entries;           // what becomes the RUNPATH
    std::vector<std::string> tree_directories;  // of those, the ones in the tree, as places
    std::vector<fs::path> store_directories;    // and those in the store, as real directories
  };

  // What is worth keeping of a RUNPATH: directories of the tree and of the store, which may hold plug-ins.
  SearchPath kept(const std::string& place, const Elf& elf) {
    SearchPath result;
    auto keep_in_tree = [&](const std::string& directory) {
      if (!directory.empty() && !fs::is_directory(tree_.directory / directory)) return;
      result.tree_directories.push_back(directory);
      append_once(result.entries, from_origin(place, directory));
    };
    for (std::string entry : elf.search_path) {
      bool relative = false;
      for (std::string_view variable : {"$ORIGIN", "${ORIGIN}"})
        if (entry.starts_with(variable))
          entry.replace(0, variable.size(), fmt::format("/{}", parent_of(place))), relative = true;
      if (relative) {
        keep_in_tree(fs::path(entry).lexically_normal().lexically_relative("/").string());
      } else if (auto inside = place_in_tree(entry)) {
        keep_in_tree(*inside);
      } else if (entry.starts_with(std::string(nix::store_dir) + "/")) {
        auto path = nix::StorePath::containing(entry);
        if (!store_.is_valid(path)) continue;
        used_.insert(path);
        result.store_directories.push_back(store_.real_path(path) /
                                           fs::path(entry).lexically_relative(path.to_string()));
        append_once(result.entries, entry);
      }
    }
    return result;
  }

  void find_library(const std::string& place, const Elf& elf, const std::string& name, SearchPath& search) {
    for (const auto& directory : search.tree_directories)
      if (has_library(directory, name)) return;
    for (const auto& directory : search.store_directories)
      if (fs::exists(directory / name)) return;
    auto own_copies = libraries_.find(name);
    auto add_own = [&](const std::string& directory) {
      search.tree_directories.push_back(directory);
      append_once(search.entries, from_origin(place, directory));
    };
    if (own_copies != libraries_.end())
      for (const auto& directory : own_copies->second)
        if (is_default_library_directory(directory)) return add_own(directory);
    if (auto provider = surroundings_.library(name, elf.search_path)) {
      append_once(search.entries, use(*provider));
      search.store_directories.push_back(store_.real_path(provider->path) / provider->place);
    } else if (own_copies != libraries_.end()) {
      add_own(own_copies->second.front());
    } else {
      surroundings_.missing(name, place);
    }
  }

  static bool may_end_a_thread(const Elf& elf) {
    return elf.imports.contains("pthread_exit") || elf.imports.contains("pthread_cancel") ||
           elf.imports.contains("thrd_exit");
  }

  void relocate_elf(const std::string& place) {
    std::optional<Elf> elf;
    try {
      elf = read_elf(tree_.directory / place);
    } catch (const Error& error) {  // what the loader could not read, either: test data of programs that read
                                    // such files
      if (error.kind() != ErrorKind::invalid_input) throw;
      surroundings_.note(fmt::format("{} stays as it is: {}", place, error.what()));
      return;
    }
    if (!elf || (elf->interpreter.empty() && elf->needed.empty() && elf->search_path.empty())) return;
    std::string interpreter;
    if (!elf->interpreter.empty()) {
      std::string loader = fs::path(elf->interpreter).filename().string();
      auto provider = surroundings_.library(loader, {});
      if (!provider) return surroundings_.missing(loader, place);
      interpreter = use(*provider) + "/" + loader;
    }
    SearchPath search = kept(place, *elf);
    for (const auto& name : elf->needed) find_library(place, *elf, name, search);
    for (const auto& name : elf->needed_later)  // it can do without, or says so when it cannot
      if (surroundings_.library(name, {})) find_library(place, *elf, name, search);
    std::string extra;
    static const std::string unwinder = "libgcc_s.so.1";
    if (may_end_a_thread(*elf) &&
        std::find(elf->needed.begin(), elf->needed.end(), unwinder) == elf->needed.end() &&
        elf->soname != unwinder && surroundings_.library(unwinder, {})) {
      find_library(place, *elf, unwinder, search);
      extra = unwinder;
    }
    const auto texts = tree_.texts.find(place);
    if (interpreter == elf->interpreter && search.entries == elf->search_path && extra.empty() &&
        texts == tree_.texts.end())
      return;
    // The file itself is written to, which others must not share.
    const Fd program = root_.open(place, O_RDONLY | O_NONBLOCK);
    struct stat status {};
    if (::fstat(program.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1)
      fail(ErrorKind::untrusted, "it is not a file of the tree alone");
    if (::fchmod(program.get(), (status.st_mode & 07777) | S_IWUSR) != 0)
      fail_errno(errno, "making it writable");
    ElfChange change{.interpreter = interpreter, .search_path = search.entries, .needed = {}};
    if (!extra.empty()) change.needed.push_back(extra);
    if (texts != tree_.texts.end()) change.texts = texts->second;
    patch_elf(root_.open(place, O_RDWR | O_NONBLOCK), change);
    check_patched(tree_.directory / place, *elf, change);
  }

  static void check_patched(const fs::path& path, const Elf& before, const ElfChange& change) {
    const auto after = read_elf(path);
    std::vector<std::string> needed = before.needed;
    needed.insert(needed.end(), change.needed.begin(), change.needed.end());
    if (!after || after->interpreter != change.interpreter || after->search_path != change.search_path ||
        after->needed != needed || after->soname != before.soname || after->imports != before.imports)
      fail(ErrorKind::internal, "changing it did not give what was wanted");
  }

  store::LocalStore& store_;
  Tree& tree_;
  const Directory root_;
  Surroundings& surroundings_;
  nix::StorePathSet used_;
  std::vector<std::string> links_;
  std::vector<std::string> files_;
  std::map<std::string, std::vector<std::string>> libraries_;  // file name → directories of the tree, sorted
  bool is_c_library_ = false;
};

}  // namespace

bool is_default_library_directory(std::string_view directory) {
  return directory == "lib" || directory == "lib64" ||
         (directory.starts_with("lib/") && directory.ends_with("-linux-gnu") &&
          directory.find('/', 4) == std::string_view::npos);
}

std::string placeholder_digest(std::string_view text) {
  Sha256Digest digest = sha256(fmt::format("flox placeholder {}", text));
  return nix::to_base32(bytes_of(digest).substr(0, nix::digest_bytes));
}

BuildDirectory::~BuildDirectory() {
  try {
    remove_tree(path_);
  } catch (const std::exception&) {  // nobody to tell; the store's own clean-up knows such directories
  }
}

nix::PathInfo relocate(store::LocalStore& store, Tree tree, Surroundings& surroundings) {
  return Relocator(store, tree, surroundings).run();
}

}  // namespace flox::package
