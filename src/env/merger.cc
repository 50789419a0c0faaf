#include "env/merger.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/data/toml_edit.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox::env {
namespace {

// What is never linked (nixpkgs buildEnv).
bool skipped(const fs::path& relative) {
  static const std::set<std::string> exact = {"nix-support", "info/dir", "propagated-build-inputs",
                                              "perllocal.pod"};
  return exact.contains(relative.string()) || relative.filename() == "log" ||
         relative.filename() == "perllocal.pod";
}

// What the profile itself writes, at its top.
bool reserved(std::string_view name) { return name == "activate.d" || name == "manifest.lock"; }

// A source, and what its links may lead to.
struct Package {
  MergeSource source;
  std::optional<std::set<std::string, std::less<>>> closure;  // base names; read when the first link is met
};

// A directory of a package, to be merged with those of others.
struct Part {
  Package* package;
  std::string place;  // no link in it; relative to the store's directory
  const Part* parent = nullptr;
};

// An entry of such a directory. `target` is filled if several packages have the entry.
struct Provider {
  const Part* part;
  std::optional<StoreTree::Place> target;
};

class Merger {
 public:
  Merger(const store::LocalStore& store, const ProfileLimits& limits)
      : store_(store), files_(store.store_directory()), limits_(limits) {}

  void merge(std::vector<Package>& packages, const Directory& tree) {
    std::vector<Part> parts;
    for (Package& package : packages) {
      const std::string name = package.source.path.base_name();
      const auto status = files_.status(name);
      if (!status || !S_ISDIR(status->st_mode))
        fail(ErrorKind::invalid_input, "package '{}': {} is a file, not a directory",
             printable(package.source.install_id), package.source.path.to_string());
      parts.push_back({.package = &package, .place = name});
    }
    merge_directory({}, parts, tree, 0);
    refuse_conflicts();
  }

 private:
  void merge_directory(const fs::path& relative, const std::vector<Part>& parts, const Directory& tree,
                       size_t depth) {
    if (depth > limits_.depth)
      fail(ErrorKind::invalid_input, "{} is more than {} directories deep", shown(relative), limits_.depth);
    std::map<std::string, std::vector<Provider>> entries;
    for (const Part& part : parts)
      for (std::string& name : names_of(part))
        if (!skipped(relative / name)) entries[std::move(name)].push_back({.part = &part, .target = {}});
    for (auto& [name, providers] : entries) {
      if (depth == 0 && reserved(name)) refuse_reserved(*providers[0].part, name);
      merge_entry(relative, name, providers, tree, depth);
    }
  }

  std::vector<std::string> names_of(const Part& part) {
    std::vector<std::string> names = files_.directory(part.place).names(limits_.entries);
    read_ += names.size();
    if (read_ > limits_.entries)
      fail(ErrorKind::invalid_input, "its packages have more than {} files in directories of the same name",
           limits_.entries);
    for (const std::string& name : names) name_bytes_ += name.size();
    if (name_bytes_ > limits_.name_bytes)
      fail(ErrorKind::invalid_input,
           "the names in directories that its packages have in common take more than {} bytes",
           limits_.name_bytes);
    return names;
  }

  void merge_entry(const fs::path& relative, const std::string& name, std::vector<Provider>& providers,
                   const Directory& tree, size_t depth) {
    const fs::path path = relative / name;
    if (providers.size() > 1) {
      for (Provider& provider : providers) provider.target = resolve(*provider.part, name);
      auto is_directory = [](const Provider& p) { return p.target && p.target->is_directory(); };
      if (std::ranges::all_of(providers, is_directory)) {
        std::vector<Part> parts;
        for (const Provider& p : providers) parts.push_back(part_below(p, path));
        return merge_directory(path, parts, tree.make_directory(name), depth + 1);
      }
      check_conflicts(path, providers);
    }
    const MergeSource& first = providers[0].part->package->source;
    tree.make_link(name, first.path.to_string() + "/" + path.string());
  }

  // Where several packages have a name, what their links lead to decides, so it has to be in their closures.
  std::optional<StoreTree::Place> resolve(const Part& part, const std::string& name) {
    const std::string path = part.place + "/" + name;
    const auto status = files_.status(path);
    if (!status) return std::nullopt;
    if (!S_ISLNK(status->st_mode)) return StoreTree::Place{.path = path, .mode = status->st_mode};
    Package& package = *part.package;
    auto may_enter = [&](std::string_view base_name) {
      if (!package.closure) {
        package.closure.emplace();
        for (const nix::StorePath& member : store_.closure({package.source.path}))
          package.closure->insert(member.base_name());
      }
      return package.closure->contains(base_name);
    };
    try {
      auto place = files_.resolve(path, may_enter, &steps_);
      if (steps_ > limits_.steps)
        fail(
            ErrorKind::invalid_input,
            "following the links that its packages have in common takes more than {} steps; the last one was "
            "{} of package '{}'",
            limits_.steps, shown(path), printable(package.source.install_id));
      return place;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::untrusted) throw;
      throw error.with_context(fmt::format("package '{}'", printable(package.source.install_id)))
          .with_advice(
              "Another package has the same name, so the link would have to be followed. Links of "
              "packages are followed within their closure only: remove the package from the "
              "environment, or ask its author to correct it.");
    }
  }

  static Part part_below(const Provider& provider, const fs::path& path) {
    for (const Part* above = provider.part; above != nullptr; above = above->parent)
      if (above->place == provider.target->path)
        fail(ErrorKind::untrusted, "package '{}': {} leads in a circle",
             printable(provider.part->package->source.install_id), shown(path));
    return {.package = provider.part->package, .place = provider.target->path, .parent = provider.part};
  }

  // Of those with the lowest number, which is the first's, all must have the same; outputs of one package do
  // not conflict, the first one counts.
  void check_conflicts(const fs::path& path, const std::vector<Provider>& providers) {
    const MergeSource& first = providers[0].part->package->source;
    for (size_t i = 1; i < providers.size(); ++i) {
      const MergeSource& other = providers[i].part->package->source;
      if (other.priority != first.priority || other.install_id == first.install_id) continue;
      if (same_file(providers[0].target, providers[i].target)) continue;
      conflicts_.push_back({first.install_id, other.install_id, shown(path)});
      return;
    }
  }

  bool same_file(const std::optional<StoreTree::Place>& a, const std::optional<StoreTree::Place>& b) {
    if (!a || !b) return false;
    if (a->path == b->path) return true;
    if (!S_ISREG(a->mode) || !S_ISREG(b->mode) || (a->mode & S_IXUSR) != (b->mode & S_IXUSR)) return false;
    const auto one = files_.status(a->path), other = files_.status(b->path);
    return one && other && one->st_size == other->st_size && same_bytes(a->path, b->path);
  }

  bool same_bytes(const std::string& a, const std::string& b) {
    const Fd one = open(a), other = open(b);
    std::string left(64 << 10, '\0'), right = left;
    for (;;) {
      const size_t count = read_whole(one, left);
      if (count != read_whole(other, right) || std::memcmp(left.data(), right.data(), count) != 0)
        return false;
      if (count == 0) return true;
      compared_ += count;
      if (compared_ > limits_.compared)
        fail(ErrorKind::invalid_input,
             "the files that its packages have in common have more than {} bytes to compare; the last one "
             "was {}",
             limits_.compared, printable(a));
    }
  }

  Fd open(const std::string& place) const {
    const fs::path path = place;
    return files_.directory(path.parent_path().native()).open(path.filename().native(), O_RDONLY);
  }

  static size_t read_whole(const Fd& fd, std::string& buffer) {
    size_t count = 0;
    while (const size_t more = read_some(fd.get(), buffer.data() + count, buffer.size() - count))
      count += more;
    return count;
  }

  void refuse_conflicts() const {
    if (conflicts_.empty()) return;
    constexpr size_t most = 10;
    std::vector<std::string> lines, advice;
    for (const Conflict& conflict : conflicts_) {
      if (lines.size() < most)
        lines.push_back(fmt::format("packages '{}' and '{}' both have the file {}", printable(conflict.first),
                                    printable(conflict.second), conflict.path));
      std::string line = fmt::format("{}.priority = 4", toml_key(printable(conflict.first)));
      if (advice.size() < most && std::ranges::find(advice, line) == advice.end())
        advice.push_back(std::move(line));
    }
    if (conflicts_.size() > lines.size())
      lines.push_back(fmt::format("and {} more", conflicts_.size() - lines.size()));
    throw Error(ErrorKind::conflict, fmt::format("{}", fmt::join(lines, "; ")),
                fmt::format("Give one a lower priority number in the manifest ('flox edit'), as {}.",
                            fmt::join(advice, ", ")));
  }

  [[noreturn]] static void refuse_reserved(const Part& part, std::string_view name) {
    const MergeSource& source = part.package->source;
    throw Error(ErrorKind::untrusted,
                fmt::format("package '{}': {} has {}, a name that is reserved for environments",
                            printable(source.install_id), source.path.to_string(), name),
                "Remove it from the environment. A built environment cannot be a package of another one: "
                "install what it has instead.");
  }

  static std::string shown(const fs::path& relative) { return printable(relative.native()); }

  const store::LocalStore& store_;
  StoreTree files_;
  const ProfileLimits& limits_;
  size_t read_ = 0;
  size_t name_bytes_ = 0;
  size_t steps_ = 0;
  uint64_t compared_ = 0;
  struct Conflict {
    std::string first, second;  // install ids
    std::string path;
  };
  std::vector<Conflict> conflicts_;  // limits_.entries at most
};

}  // namespace

void merge_packages(const store::LocalStore& store, std::vector<MergeSource> sources, const Directory& tree,
                    const ProfileLimits& limits) {
  std::ranges::sort(sources, {}, [](const MergeSource& s) {
    return std::tuple(s.priority, s.install_id, s.path.base_name());
  });
  std::vector<Package> packages;
  for (MergeSource& source : sources) packages.push_back({.source = std::move(source), .closure = {}});
  Merger(store, limits).merge(packages, tree);
}

}  // namespace flox::env
