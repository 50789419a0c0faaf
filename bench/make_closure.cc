// Makes closures of known shape for benchmarks, in the store at ROOT, and prints the path that refers to all
// others.
//   make_closure ROOT COUNT                 COUNT paths of one small file each
//   make_closure ROOT packages COUNT        the same, each with a package file (docs/formats/package.md)
//   make_closure ROOT bytes COUNT BYTES     as the first, with a file of BYTES hexadecimal digits in each
//   make_closure ROOT debian COUNT BYTES    COUNT paths: the files of installed Debian packages, one path a
//                                           package; one path is of the largest files below /usr, about
//                                           BYTES bytes
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/os/file.h"
#include "store/local/local_store.h"
#include "trust/sbom/package_file.h"
#include "trust/sbom/purl.h"

namespace {

using namespace flox;

constexpr uint64_t largest_package =
    40'000'000;                 // bytes: larger ones are left out, but for the one large path
constexpr int references = 12;  // of each path, to those before it

void write_package_file(const fs::path& tree, const std::string& number) {
  const std::string name = "part-" + number;
  const trust::PackageFile file{.packages = {{.name = name,
                                              .version = "1.0-" + number,
                                              .purl = trust::debian_purl(name, "1.0-" + number, "amd64"),
                                              .license = "MIT",
                                              .source = name}}};
  fs::create_directories((tree / trust::package_file_place).parent_path());
  write_file(tree / trust::package_file_place, file.to_string());
}

class Closure {
 public:
  explicit Closure(const fs::path& root) : store_(root), temporary_("closure-", root) {}

  // The tree becomes a path that refers to some of those before it.
  void add(const fs::path& tree, const std::string& name) {
    std::string text;
    for (size_t i = paths_.size(); i-- > 0 && paths_.size() - i <= references;)
      text += paths_[i].to_string() + "\n";
    if (!text.empty()) write_file(tree / "references", text);
    const nix::StorePathSet candidates(
        paths_.end() - static_cast<long>(std::min<size_t>(references, paths_.size())), paths_.end());
    paths_.push_back(store_.add_tree(tree, name, candidates).path);
  }
  void add_whole(bool with_package_file) {
    std::string text;
    for (const nix::StorePath& path : paths_) text += path.to_string() + "\n";
    const fs::path tree = fresh_tree();
    write_file(tree / "references", text);
    if (with_package_file) write_package_file(tree, "whole");
    paths_.push_back(store_.add_tree(tree, "whole-1.0", {paths_.begin(), paths_.end()}).path);
  }
  fs::path fresh_tree() {
    const fs::path tree = temporary_.path() / "tree";
    remove_tree(tree);
    fs::create_directories(tree / "share");
    return tree;
  }
  void print() const { std::puts(paths_.back().to_string().c_str()); }
  size_t size() const { return paths_.size(); }

 private:
  store::LocalStore store_;
  TempDir temporary_;
  std::vector<nix::StorePath> paths_;
};

void copy_entry(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  fs::create_directories(to.parent_path(), ignored);
  fs::copy(from, to, fs::copy_options::copy_symlinks, ignored);
}

// The files of one package, as dpkg lists them; false if it is empty or too large.
bool copy_package(const fs::path& list, const fs::path& tree) {
  std::vector<fs::path> files;
  uint64_t size = 0;
  std::ifstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    std::error_code error;
    const fs::path file = line;
    const auto status = fs::symlink_status(file, error);
    if (error || (!fs::is_regular_file(status) && !fs::is_symlink(status)) ||
        ::access(line.c_str(), R_OK) != 0)
      continue;
    if (fs::is_regular_file(status)) size += fs::file_size(file, error);
    files.push_back(file);
  }
  if (files.empty() || size > largest_package) return false;
  for (const fs::path& file : files) copy_entry(file, tree / file.relative_path());
  return true;
}

void copy_largest(uint64_t bytes, const fs::path& tree) {
  std::vector<std::pair<uint64_t, fs::path>> files;
  std::error_code ignored;
  for (fs::recursive_directory_iterator it("/usr", fs::directory_options::skip_permission_denied, ignored),
       end;
       it != end; it.increment(ignored))
    if (it->is_regular_file(ignored) && !it->is_symlink(ignored))
      files.emplace_back(it->file_size(ignored), it->path());
  std::ranges::sort(files, std::ranges::greater{});
  uint64_t total = 0;
  for (const auto& [size, file] : files) {
    if (total + size > bytes) continue;
    copy_entry(file, tree / file.relative_path());
    total += size;
  }
}

void make_debian(Closure& closure, size_t count, uint64_t bytes) {
  std::vector<fs::path> lists;
  for (const auto& entry : fs::directory_iterator("/var/lib/dpkg/info"))
    if (entry.path().extension() == ".list") lists.push_back(entry.path());
  std::ranges::sort(lists);
  {
    const fs::path tree = closure.fresh_tree();
    copy_largest(bytes, tree);
    closure.add(tree, "large-1.0");
  }
  for (const fs::path& list : lists) {
    if (closure.size() + 1 >= count) break;
    const fs::path tree = closure.fresh_tree();
    std::string name = list.stem();
    std::ranges::replace(name, ':', '-');
    if (copy_package(list, tree)) closure.add(tree, name);
  }
}

// Digits that compress to half, others for each number.
std::string digits(uint64_t count, size_t number) {
  std::mt19937_64 random(number);
  std::string text;
  while (text.size() < count) text += fmt::format("{:016x}", random());
  text.resize(count);
  return text;
}

void make_tiny(Closure& closure, size_t count, bool packages, uint64_t bytes = 0) {
  while (closure.size() + 1 < count) {
    const fs::path tree = closure.fresh_tree();
    const std::string number = std::to_string(closure.size() + 1);
    if (packages) write_package_file(tree, number);
    write_file(tree / "share" / ("part-" + number), number + "\n" + digits(bytes, closure.size()));
    closure.add(tree, "part-" + number);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 2 ? argv[2] : "";
  if (argc != (kind == "debian" || kind == "bytes" ? 5 : kind == "packages" ? 4 : 3)) {
    std::fputs(
        "usage: make_closure ROOT COUNT\n       make_closure ROOT packages COUNT\n       make_closure ROOT "
        "bytes|debian COUNT BYTES\n",
        stderr);
    return 2;
  }
  try {
    Closure closure(argv[1]);
    if (kind == "debian")
      make_debian(closure, std::stoul(argv[3]), std::stoull(argv[4]));
    else if (kind == "bytes")
      make_tiny(closure, std::stoul(argv[3]), false, std::stoull(argv[4]));
    else if (kind == "packages")
      make_tiny(closure, std::stoul(argv[3]), true);
    else
      make_tiny(closure, std::stoul(kind), false);
    closure.add_whole(kind == "packages");
    closure.print();
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
