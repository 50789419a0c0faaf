#include "package/debian/importer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <deque>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "base/wildcard.h"
#include "package/debian/application.h"
#include "package/debian/copyright.h"
#include "package/debian/deb_file.h"
#include "package/debian/package_rules.h"
#include "package/elf.h"
#include "package/elf_patch.h"
#include "trust/sbom/purl.h"

namespace flox::package {
namespace {

// Part of every key of the memory: raise it whenever the rules of this folder change what an import gives.
constexpr int import_format = 8;

bool in_library_section(const DebianPackage& package) {
  auto section = std::string_view(package.section).substr(package.section.rfind('/') + 1);
  return section == "libs" || section == "oldlibs";
}

// Directory of the place that `soname` has in a sorted list of places, the loader's default ones first.
std::optional<std::string> directory_of(const std::string& soname, const std::vector<std::string>& places) {
  std::optional<std::string> result;
  for (const auto& place : places) {
    if (!place.ends_with("/" + soname)) continue;
    std::string directory = place.substr(0, place.size() - soname.size() - 1);
    if (is_default_library_directory(directory)) return directory;
    if (!result) result = directory;
  }
  return result;
}

std::vector<std::string> places_below(const fs::path& directory) {
  std::vector<std::string> result;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.symlink_status().type() != fs::file_type::directory)
      result.push_back(entry.path().lexically_relative(directory).string());
  std::sort(result.begin(), result.end());
  return result;
}

std::string store_name(const DebianPackage& package) {
  return package.name + "-" + store_version(package.version);
}

// Is the name one of those that the patterns stand for?
bool is_any_of(const std::string& name, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches_wildcard(pattern, name); });
}

// Is what a program names one of the places, which are sorted? A text with '%' (printf(3)) names what is in
// the directory before it: "share/zoneinfo/%s".
bool has_compiled(const std::vector<std::string>& places, const std::string& wanted) {
  const size_t format = wanted.find('%');
  if (format == std::string::npos) return std::binary_search(places.begin(), places.end(), wanted);
  const std::string directory = wanted.substr(0, wanted.rfind('/', format) + 1);
  const auto next = std::lower_bound(places.begin(), places.end(), directory);
  return next != places.end() && next->starts_with(directory);
}

// What a package alone must not do: run a script, for which it has no interpreter (the files of
// `scripts_place` say which are some), or lead to an absolute place.
void prepare_piece(const Directory& root) {
  root.remove("nix-support");  // is ours to write
  std::vector<std::string> open{""};
  std::string scripts;
  std::set<std::string> found;
  while (!open.empty()) {
    const std::string at = std::move(open.back());
    open.pop_back();
    for (const std::string& name : at.empty() ? root.names() : root.subdirectory(at).names()) {
      const std::string place = at.empty() ? name : at + "/" + name;
      const auto status = root.status(place);
      if (!status) continue;
      if (S_ISDIR(status->st_mode)) {
        open.push_back(place);
      } else if (S_ISLNK(status->st_mode)) {
        const std::string target = root.read_link(place);
        if (!target.starts_with('/')) continue;
        root.remove(place);
        if (const auto goal = layout_path(target))
          root.make_link(
              place, fs::path("/" + *goal).lexically_relative(fs::path("/" + place).parent_path()).string());
      } else if ((status->st_mode & 0111) != 0 && status->st_size > 2) {
        const Fd file = root.open(place, O_RDONLY | O_NONBLOCK);
        std::array<char, 2> magic{};
        if (read_some(file.get(), magic.data(), magic.size()) != 2 || magic[0] != '#' || magic[1] != '!')
          continue;
        if (::fchmod(file.get(), 0644) != 0) fail_errno(errno, "changing the mode of {}", place);
        found.insert(place);
      }
    }
  }
  if (found.empty()) return;
  for (const std::string& place : found) scripts += place + "\n";
  root.make_directory("nix-support").create_file("scripts", scripts);
}

// What a Debian package finds around it: the libraries of the packages that it depends on.
class DebianSurroundings : public Surroundings {
 public:
  DebianSurroundings(Importer& importer, std::string name, std::vector<std::string> packages)
      : importer_(importer), name_(std::move(name)), packages_(std::move(packages)) {}

  std::optional<Provider> library(const std::string& soname, const std::vector<std::string>&) override {
    return importer_.find_library(soname, packages_);
  }
  // Links to other packages lead to them where those are, too: in an application's tree.
  std::optional<Provider> file(const std::string&) override { return std::nullopt; }
  std::optional<Provider> program(const std::string&) override { return std::nullopt; }
  bool drops_foreign_links() const override { return true; }
  void missing(const std::string& soname, const std::string& needed_by) override {
    importer_.debian().step(
        fmt::format("note: {}: {} needs {}, which none of its dependencies has", name_, needed_by, soname));
  }
  void note(const std::string&) override {}

 private:
  Importer& importer_;
  std::string name_;
  std::vector<std::string> packages_;
};

}  // namespace

const ImportRules& ImportRules::built_in() {
  static const ImportRules rules = parse_import_rules(import_rules_text(), "import_rules.toml");
  return rules;
}

trust::PackageEntry entry_of(const DebianPackage& package, std::string_view copyright) {
  return {.name = package.name,
          .version = package.version,
          .purl = trust::debian_purl(package.name, package.version, package.architecture),
          .license = parse_copyright(copyright),
          .source = package.source};
}

std::vector<std::string> Importer::dependencies(const std::string& name) {
  std::vector<std::string> result;
  std::set<std::string> alternatives;
  for (const auto& relation : debian_.package(name).depends)
    alternatives.insert(relation.begin(), relation.end());
  debian_.load(alternatives);
  for (const auto& relation : Relations(debian_.package(name).depends)) {
    auto chosen = debian_.choose(relation);
    const auto& exact = debian_.package(name).exact;
    if (const auto version = chosen ? exact.find(*chosen) : exact.end(); version != exact.end()) {
      try {
        debian_.want(*chosen, version->second);
      } catch (const Error& error) {  // a repository without it has another one that it calls right
        if (error.kind() != ErrorKind::not_found) throw;
      }
    }
    if (chosen && *chosen != name && std::find(result.begin(), result.end(), *chosen) == result.end())
      result.push_back(*chosen);
  }
  return result;
}

bool Importer::is_library(const std::string& name) {
  if (!in_library_section(debian_.package(name))) return false;
  const auto& files = debian_.files(name);
  return std::any_of(files.begin(), files.end(), [](const std::string& place) {
    fs::path path(place);
    std::string file_name = path.filename().string();
    return is_default_library_directory(path.parent_path().string()) &&
           file_name.find(".so") != std::string::npos &&
           (file_name.starts_with("lib") || file_name.starts_with("ld-"));
  });
}

void Importer::prefetch(const std::set<std::string>& names) {
  std::set<std::string> seen, level = names;
  while (!level.empty()) {
    debian_.load(level);
    std::set<std::string> alternatives, next;
    for (const auto& name : level) {
      seen.insert(name);
      for (const auto& relation : debian_.package(name).depends)
        alternatives.insert(relation.begin(), relation.end());
    }
    debian_.load(alternatives);
    for (const auto& name : level) {
      if (is_imported_alone(name)) continue;
      for (const auto& dependency : dependencies(name)) {
        const auto& package = debian_.package(dependency);
        if (in_library_section(package) && !seen.contains(dependency)) next.insert(dependency);
      }
    }
    level = std::move(next);
  }
  debian_.obtain(seen);
}

std::optional<std::string> Importer::package_with(const std::string& soname,
                                                  const std::vector<std::string>& packages) {
  if (auto found = package_among(soname, packages)) return found;
  // A package for developers stands for the libraries that it is for (rustc needs libstd-rust-dev, and that
  // libstd-rust-1.63).
  std::vector<std::string> behind;
  for (const auto& name : packages)
    if (!in_library_section(debian_.package(name)) && !is_left_out(name))
      for (const auto& dependency : dependencies(name))
        if (in_library_section(debian_.package(dependency))) behind.push_back(dependency);
  return package_among(soname, behind);
}

std::optional<std::string> Importer::package_among(const std::string& soname,
                                                   const std::vector<std::string>& packages) {
  std::deque<std::string> queue(packages.begin(), packages.end());
  std::set<std::string> seen(packages.begin(), packages.end());
  for (; !queue.empty(); queue.pop_front()) {
    const std::string name = queue.front();
    const bool is_direct = std::find(packages.begin(), packages.end(), name) != packages.end();
    const bool is_library = in_library_section(debian_.package(name));
    if (!is_library && (!is_direct || is_left_out(name))) continue;
    if (const auto directory = directory_of(soname, debian_.files(name));
        directory && (is_library || is_default_library_directory(*directory)))
      return name;
    if (!is_library) continue;
    for (const auto& dependency : dependencies(name))
      if (seen.insert(dependency).second) queue.push_back(dependency);
  }
  return std::nullopt;
}

std::optional<Provider> Importer::find_library(const std::string& soname,
                                               const std::vector<std::string>& packages) {
  auto found = package_with(soname, packages);
  return found ? library_of(*found, soname) : std::nullopt;
}

std::optional<Provider> Importer::library_of(const std::string& package, const std::string& soname) {
  nix::StorePath path = library(package);
  auto& places = places_[path];
  if (places.empty()) places = places_below(store_.real_path(path));
  auto directory = directory_of(soname, places);
  if (!directory) return std::nullopt;
  if (!needed_.empty()) needed_.back().insert(package);
  return Provider{path, *directory};
}

std::optional<Provider> Importer::find_file(const std::string& place,
                                            const std::vector<std::string>& packages) {
  for (const auto& name : packages) {
    if (!is_library(name)) continue;
    const auto& files = debian_.files(name);
    if (!std::binary_search(files.begin(), files.end(), place)) continue;
    nix::StorePath path = library(name);
    if (!needed_.empty()) needed_.back().insert(name);
    return Provider{path, place};
  }
  static const std::map<std::string, std::string> interpreters{{"bin/sh", "dash"},
                                                               {"bin/dash", "dash"},
                                                               {"bin/bash", "bash"},
                                                               {"bin/perl", "perl-base"},
                                                               {"bin/python3", "python3"}};
  auto interpreter = interpreters.find(place);
  if (interpreter == interpreters.end()) return std::nullopt;
  const std::string& name = interpreter->second;
  if (std::find(in_progress_.begin(), in_progress_.end(), name) != in_progress_.end()) return std::nullopt;
  if (!needed_.empty()) needed_.back().insert("/" + name);  // not a library: such an import is not remembered
  return Provider{package(name), place == "bin/sh" ? "bin/dash" : place};
}

nix::StorePath Importer::package(const std::string& name) {
  auto done = applications_.find(name);
  if (done != applications_.end()) return done->second;
  debian_.package(name);
  nix::StorePath path = import_application(name);
  return applications_.emplace(name, path).first->second;
}

nix::StorePath Importer::library(const std::string& name) {
  auto done = libraries_.find(name);
  if (done != libraries_.end()) return done->second;
  if (auto cycle = std::find(in_progress_.begin(), in_progress_.end(), name); cycle != in_progress_.end())
    fail(ErrorKind::conflict,
         "the libraries of these Debian packages need each other in a circle, which store paths cannot: {} → "
         "{}",
         fmt::join(cycle, in_progress_.end(), " → "), name);
  auto path = remembered(name);
  if (!path) {
    if (in_progress_.empty()) prefetch({name});
    path = import_piece(name);
  }
  store_.add_temp_roots({*path});
  return libraries_.emplace(name, *path).first->second;
}

void Importer::import_libraries(const std::set<std::string>& names) {
  debian_.load(names);
  std::set<std::string> missing;
  for (const auto& name : names) {
    if (libraries_.contains(name)) continue;
    if (auto path = remembered(name)) {
      store_.add_temp_roots({*path});
      libraries_.emplace(name, *path);
    } else {
      missing.insert(name);
    }
  }
  if (missing.empty()) return;
  prefetch(missing);
  for (const auto& name : missing) library(name);
}

std::map<std::string, std::map<std::string, std::string>> Importer::compiled_paths(const std::string& name,
                                                                                   const fs::path& tree,
                                                                                   nix::StorePathSet& used) {
  std::map<std::string, std::map<std::string, std::string>> result;
  for (const auto& rule : rules_.compiled)
    for (const std::string& place : places_below(tree)) {
      if (!matches_path_pattern(rule.library, place) || !read_elf(tree / place)) continue;
      const Fd library_file = Directory(tree).open(place, O_RDONLY | O_NONBLOCK);
      for (const std::string& path : texts_of_elf(library_file, rule.prefix)) {
        const auto wanted = layout_path(path);
        if (!wanted) continue;
        for (const std::string& dependency : dependencies(name)) {
          if (!has_compiled(debian_.files(dependency), *wanted)) continue;
          const nix::StorePath there = library(dependency);
          used.insert(there);
          needed_.back().insert(dependency);
          result[place][path] = there.to_string() + "/" + *wanted;
          break;
        }
      }
    }
  return result;
}

std::vector<std::string> Importer::packages_around(const std::string& name) {
  std::vector<std::string> result = dependencies(name);
  for (const auto& extra : rules_.extras)
    if (is_any_of(name, extra.when))
      for (const auto& added : extra.add)
        if (debian_.exists(added) && in_library_section(debian_.package(added))) result.push_back(added);
  return result;
}

nix::StorePath Importer::import_piece(const std::string& name) {
  in_progress_.push_back(name);
  needed_.emplace_back();
  auto path = in_context("importing Debian package " + name, [&] {
    BuildDirectory work(store_);
    fs::path tree = work.path() / "tree";
    fs::create_directory(tree);
    const std::string copyright = debian_.unpack(name, tree);
    apply_package_rules(name, tree);
    const Directory root(tree);
    prepare_piece(root);
    root.make_directory(fs::path(trust::package_file_place).parent_path().string());
    root.write_file(trust::package_file_place,
                    trust::PackageFile{.packages = {entry_of(debian_.package(name), copyright)}}.to_string());
    const bool alone = is_imported_alone(name);
    DebianSurroundings surroundings(*this, name, alone ? std::vector<std::string>() : packages_around(name));
    Tree piece{.directory = tree,
               .name = store_name(debian_.package(name)),
               .placeholder = placeholder_digest("deb"),
               .origins = {"/usr", "/"},
               .candidates = {}};
    piece.texts = compiled_paths(name, tree, piece.candidates);
    return relocate(store_, std::move(piece), surroundings).path;
  });
  std::set<std::string> needed = std::move(needed_.back());
  needed_.pop_back();
  in_progress_.pop_back();
  remember(name, path, needed);
  return path;
}

bool Importer::is_left_out(const std::string& name) const {
  const DebianPackage& package = debian_.package(name);
  return package.essential || package.priority == "required" || is_any_of(name, rules_.leave_out);
}

void Importer::close(std::vector<std::string>& members) {
  constexpr size_t most = 2000;
  std::set<std::string> seen(members.begin(), members.end());
  const auto add = [&](const std::string& name) {
    if (!seen.insert(name).second) return;
    members.push_back(name);
    if (members.size() > most)
      fail(ErrorKind::invalid_input, "it needs more than {} other Debian packages", most);
  };
  // What a whole level may need is asked for at once: asking apt takes 0.1 s each time.
  std::set<std::string> asked;
  for (const auto& extra : rules_.extras) asked.insert(extra.add.begin(), extra.add.end());
  for (size_t level = 0, end = 0; level < members.size(); level = end) {
    end = members.size();
    debian_.load({members.begin() + static_cast<std::ptrdiff_t>(level), members.end()});
    for (size_t i = level; i < end; ++i)
      for (const auto& relation : debian_.package(members[i]).depends)
        asked.insert(relation.begin(), relation.end());
    debian_.load(asked);
    asked.clear();
    for (size_t i = level; i < end; ++i) add_dependencies(std::string(members[i]), add);
  }
}

void Importer::add_dependencies(const std::string& member,
                                const std::function<void(const std::string&)>& add) {
  if (is_imported_alone(member)) return;
  for (const auto& dependency : dependencies(member)) {
    // perl-base has perl's program: parts that Debian split off are parts.
    const bool is_part = debian_.package(dependency).source == debian_.package(member).source;
    if (is_part || !is_left_out(dependency)) add(dependency);
  }
  for (const auto& extra : rules_.extras)
    if (is_any_of(member, extra.when))
      for (const auto& name : extra.add)
        if (debian_.exists(name)) add(name);
}

PackageTree Importer::make_tree(const std::vector<std::string>& members) {
  import_libraries({members.begin(), members.end()});
  std::vector<Piece> pieces;
  for (const auto& member : members) {
    const nix::StorePath path = library(member);
    pieces.push_back({.name = member, .path = path, .files = store_.real_path(path)});
  }
  PackageTree tree(std::move(pieces));
  tree.apply(rules_);
  return tree;
}

std::set<std::string> Importer::needed_by_scripts(const PackageTree& tree) {
  std::set<std::string> result(rules_.script_tools.begin(), rules_.script_tools.end());
  for (const auto& [place, package] : rules_.interpreters) result.insert(package);
  debian_.load(result);
  result.clear();
  constexpr size_t max_script = size_t{64} << 20;  // bytes
  const auto is_for_users = [](std::string_view place) {
    return place.starts_with("bin/") || place.starts_with("sbin/") || place.starts_with("libexec/") ||
           place.starts_with("games/") || place.starts_with("lib/git-core/");
  };
  // "share/maven/bin/mvn", to which "bin/mvn" leads.
  std::set<std::string> linked;
  for (const auto& [place, entry] : tree.entries())
    if (entry.kind == PackageTree::Entry::Kind::link && is_for_users(place))
      if (auto resolved = tree.resolve(place)) linked.insert(*std::move(resolved));
  for (const auto& [place, entry] : tree.entries()) {
    if (entry.kind != PackageTree::Entry::Kind::script) continue;
    // Others are examples, hooks and tests; libraries' are for their maintainers.
    const bool is_program = is_for_users(place) || linked.contains(place);
    const std::string& package = tree.pieces()[entry.piece].name;
    if (!is_program || in_library_section(debian_.package(package)) || is_left_out(package)) continue;
    const std::string content = Directory(tree.pieces()[entry.piece].files).read_file(place, max_script);
    const std::string interpreter = interpreter_place(content.substr(0, content.find('\n')));
    const auto found = rules_.interpreters.find(interpreter);
    if (found == rules_.interpreters.end()) continue;
    if (debian_.exists(found->second)) result.insert(found->second);
    if (interpreter == "bin/sh" || interpreter == "bin/bash" || interpreter == "bin/dash")
      for (const auto& tool : rules_.script_tools)
        if (debian_.exists(tool)) result.insert(tool);
  }
  return result;
}

std::set<size_t> Importer::own_pieces(const std::vector<std::string>& members, const PackageTree& tree) {
  const auto index_of = [&](const std::string& name) {
    return static_cast<size_t>(std::find(members.begin(), members.end(), name) - members.begin());
  };
  std::set<size_t> own{0};
  const bool has_modules =
      std::any_of(rules_.modules.begin(), rules_.modules.end(), [&](const std::string& pattern) {
        const auto in_it = [&](const std::string& directory) {
          const auto it = tree.entries().lower_bound(directory + "/");
          for (auto at = it; at != tree.entries().end() && at->first.starts_with(directory + "/"); ++at)
            if (at->second.piece == 0) return true;
          return false;
        };
        const auto directories = tree.matching(pattern);
        return std::any_of(directories.begin(), directories.end(), in_it);
      });
  std::vector<std::string> level{members[0]};
  // The parts that Debian split a source package into; of a package without a program (default-jre), what it
  // stands for.
  for (int depth = 0; !level.empty() && depth < 8; ++depth) {
    std::vector<std::string> next;
    const bool has_program =
        !own_programs(tree, {.name = members[0], .own_path = {}, .own = own, .shell = {}}).empty();
    for (const auto& name : level)
      for (const auto& dependency : dependencies(name)) {
        const size_t index = index_of(dependency);
        if (index == members.size() || own.contains(index)) continue;
        if (in_library_section(debian_.package(dependency))) continue;
        const bool is_part = debian_.package(dependency).source == debian_.package(members[0]).source;
        if (is_part || (!has_program && !has_modules && depth < 3)) {
          own.insert(index);
          next.push_back(dependency);
        }
      }
    level = std::move(next);
  }
  return own;
}

nix::StorePath Importer::import_application(const std::string& name) {
  std::vector<std::string> members{name};
  close(members);
  PackageTree tree = make_tree(members);
  // What scripts need may have scripts itself.
  for (size_t before = 0; before != members.size();) {
    before = members.size();
    for (const auto& needed : needed_by_scripts(tree))
      if (std::find(members.begin(), members.end(), needed) == members.end()) members.push_back(needed);
    close(members);
    if (members.size() != before) tree = make_tree(members);
  }
  members_[name] = members;
  return in_context("importing Debian package " + name, [&] {
    const std::string placeholder = placeholder_digest("deb");
    const std::string store_name = package::store_name(debian_.package(name));
    Application application{.name = name,
                            .own_path = fmt::format("{}/{}-{}", nix::store_dir, placeholder, store_name),
                            .own = own_pieces(members, tree),
                            .shell = {}};
    // A package of modules has no program around which its dependencies' would be.
    const auto programs = own_programs(tree, application);
    if (is_piece_itself(tree, application, rules_)) return library(name);
    nix::StorePathSet candidates;
    for (const Piece& piece : tree.pieces()) candidates.insert(piece.path);
    if (!programs.empty() && debian_.exists("dash")) {
      const nix::StorePath dash = library("dash");
      application.shell = dash.to_string() + "/bin/dash";
      candidates.insert(dash);
    }
    debian_.step(fmt::format("{}: {}, with {} around them", name, count_text(programs.size(), "program"),
                             count_text(members.size(), "Debian package")));
    BuildDirectory work(store_);
    const fs::path directory = work.path() / "tree";
    fs::create_directory(directory);
    const Directory out(directory);
    write_application(tree, application, rules_, out);
    // The package that it is, once more: the store path's own file says so to those who look at it alone.
    const Directory piece(tree.pieces()[0].files);
    out.make_directory(fs::path(trust::package_file_place).parent_path().string());
    out.write_file(trust::package_file_place,
                   piece.read_file(trust::package_file_place, trust::max_package_file));
    const nix::StorePath path = store_.add_tree(directory, store_name, candidates, placeholder).path;
    store_.add_temp_roots({path});
    return path;
  });
}

const std::vector<std::string>& Importer::members(const std::string& name) {
  package(name);
  return members_.at(name);
}

fs::path Importer::memory_file(const std::string& name) {
  const auto& package = debian_.package(name);
  std::string key = to_hex(
      bytes_of(sha256(fmt::format("{}\n{}\n{}\n{}", import_format, name, package.version, package.sha256))));
  return store_.state_directory().parent_path() / "flox/imports" / (name + "-" + key.substr(0, 32));
}

std::optional<nix::StorePath> Importer::remembered(const std::string& name) {
  if (debian_.package(name).sha256.empty()) return std::nullopt;
  fs::path file = memory_file(name);
  if (!fs::exists(file)) return std::nullopt;
  nlohmann::json json;
  try {
    json = parse_json(read_file(file), file.string());
  } catch (const Error&) {  // only a memory
  }
  if (!json.is_object() || !json.contains("path") || !json.contains("needed")) return std::nullopt;
  // All that the checks below will ask for, at once: asking apt takes 0.1 s each time.
  if (json.contains("closure")) debian_.load(json["closure"].get<std::set<std::string>>());
  in_progress_.push_back(name);
  bool same = true;
  for (const auto& [needed, path] : json["needed"].items())
    same = same && debian_.exists(needed) && library(needed).base_name() == path;
  in_progress_.pop_back();
  auto path = nix::StorePath::from_base_name(json["path"].get<std::string>());
  if (!same || !store_.is_valid(path)) return std::nullopt;
  closures_[name] = json.value("closure", std::set<std::string>{});
  return path;
}

void Importer::remember(const std::string& name, const nix::StorePath& path,
                        const std::set<std::string>& needed) {
  if (debian_.package(name).sha256.empty() || debian_.from_installed(name)) return;
  nlohmann::json json{{"path", path.base_name()}, {"needed", nlohmann::json::object()}};
  for (const auto& other : needed) {
    if (other.starts_with('/')) return;
    json["needed"][other] = library(other).base_name();
    closures_[name].insert(other);
    closures_[name].insert(closures_[other].begin(), closures_[other].end());
  }
  json["closure"] = closures_[name];
  fs::path file = memory_file(name);
  fs::create_directories(file.parent_path());
  write_file(file, json.dump());
}

ImportedPackage Importer::imported(catalog::PackageBuild build, const nix::StorePath& out,
                                   const std::string& root, bool run_programs) {
  keep_import(store_, root, out);
  ImportedPackage imported{.build = std::move(build),
                           .from_installed = debian_.all_from_installed(),
                           .parts = {},
                           .programs = std::nullopt,
                           .provenance = std::nullopt};
  imported.build.system = system_of_this_machine();
  imported.build.license = recorded_license(std::move(imported.build.license));
  imported.build.outputs.emplace("out", out);
  imported.build.closure_size = store_.closure_size(store_.closure({out}));
  if (run_programs) imported.programs = smoke_run(store_, out, rules_.failures);
  return imported;
}

}  // namespace flox::package
