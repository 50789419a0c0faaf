#include "package/debian/package_tree.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"
#include "base/wildcard.h"
#include "package/debian/deb_file.h"

namespace flox::package {
namespace {

constexpr size_t max_places = 1'000'000;
constexpr size_t max_scripts_file = size_t{16} << 20;  // bytes
constexpr int max_link_steps = 64;

std::string directory_part(std::string_view place) {
  const size_t slash = place.rfind('/');
  return std::string(slash == std::string_view::npos ? std::string_view() : place.substr(0, slash));
}

// "a/b" and "../c" → "a/c"; nothing if it leads out of the tree.
std::optional<std::string> joined(std::string_view directory, std::string_view target) {
  if (target.starts_with('/')) return std::nullopt;
  std::vector<std::string_view> parts;
  for (const std::string_view text : {directory, target})
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('/', begin), text.size());
      const std::string_view part = text.substr(begin, end - begin);
      begin = end + 1;
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (parts.empty()) {
        return std::nullopt;
      } else {
        parts.pop_back();
      }
    }
  return fmt::format("{}", fmt::join(parts, "/"));
}

std::set<std::string> listed_scripts(const Directory& files) {
  std::set<std::string> result;
  if (!files.exists(scripts_place)) return result;
  const std::string text = files.read_file(scripts_place, max_scripts_file);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    result.insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+-/@").find(c) != std::string_view::npos;
}

}  // namespace

std::string interpreter_place(std::string_view first_line) {
  if (!first_line.starts_with("#!")) return {};
  first_line.remove_prefix(2);
  first_line = first_line.substr(0, first_line.find('\n'));
  const auto next_word = [&] {
    first_line.remove_prefix(std::min(first_line.find_first_not_of(" \t\r"), first_line.size()));
    const std::string_view word = first_line.substr(0, first_line.find_first_of(" \t\r"));
    first_line.remove_prefix(word.size());
    return word;
  };
  const std::string_view program = next_word();
  if (!program.starts_with('/')) return {};
  const auto place = layout_path(program);
  if (!place) return {};
  if (*place != "bin/env") return *place;
  std::string_view word = next_word();
  if (word == "-S") word = next_word();
  return is_file_name(word) && !word.starts_with('-') ? "bin/" + std::string(word) : std::string();
}

PackageTree::PackageTree(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {
  for (size_t i = 0; i < pieces_.size(); ++i)
    in_context("reading " + pieces_[i].path.to_string(), [&] { read_piece(i); });
}

void PackageTree::read_piece(size_t index) {
  const Directory files(pieces_[index].files);
  const std::set<std::string> scripts = listed_scripts(files);
  std::vector<std::string> open{""};
  while (!open.empty()) {
    const std::string at = std::move(open.back());
    open.pop_back();
    for (const std::string& name :
         (at.empty() ? Directory(pieces_[index].files) : files.subdirectory(at)).names()) {
      const std::string place = at.empty() ? name : at + "/" + name;
      if (place == "nix-support") continue;
      const auto status = files.status(place);
      if (!status) continue;
      if (S_ISDIR(status->st_mode)) {
        // What one package links, another may have as a directory; the link has the last word if it came
        // first.
        if (entries_.contains(place)) continue;
        directories_.insert(place);
        open.push_back(place);
        continue;
      }
      if (directories_.contains(place)) continue;
      Entry entry{.piece = index, .target = {}, .content = {}};
      if (S_ISLNK(status->st_mode)) {
        entry.kind = Entry::Kind::link;
        entry.target = files.read_link(place);
      } else if (scripts.contains(place)) {
        entry.kind = Entry::Kind::script;
      }
      entries_.emplace(place, std::move(entry));
      if (entries_.size() > max_places) fail(ErrorKind::invalid_input, "more than {} files", max_places);
    }
  }
}

bool PackageTree::is_directory(std::string_view resolved) const {
  return resolved.empty() || directories_.contains(resolved);
}

std::optional<std::string> PackageTree::resolve(std::string_view place) const {
  std::string todo(place), done;
  for (int steps = 0; steps < max_link_steps;) {
    todo.erase(0, std::min(todo.find_first_not_of('/'), todo.size()));
    if (todo.empty()) return done;
    const size_t end = std::min(todo.find('/'), todo.size());
    const auto next = joined(done, std::string_view(todo).substr(0, end));
    if (!next) return std::nullopt;
    todo.erase(0, end);
    const auto found = entries_.find(*next);
    if (found == entries_.end()) {
      if (!is_directory(*next)) return std::nullopt;
      done = *next;
    } else if (found->second.kind == Entry::Kind::link) {
      ++steps;
      if (found->second.target.starts_with('/')) return std::nullopt;
      todo = found->second.target + todo;
      // `done` is the directory in which the link stands.
    } else {
      done = *next;
      if (todo.find_first_not_of('/') != std::string::npos) return std::nullopt;  // below a file
    }
  }
  return std::nullopt;
}

std::vector<std::string> PackageTree::matching(std::string_view pattern) const {
  const std::string_view fixed = pattern.substr(0, pattern.find_first_of("*?"));
  std::vector<std::string> result;
  if (fixed.size() == pattern.size()) {
    if (resolve(pattern)) result.emplace_back(pattern);
    return result;
  }
  for (auto it = entries_.lower_bound(std::string(fixed));
       it != entries_.end() && it->first.starts_with(fixed); ++it)
    if (matches_path_pattern(pattern, it->first) && resolve(it->first)) result.push_back(it->first);
  for (auto it = directories_.lower_bound(fixed); it != directories_.end() && it->starts_with(fixed); ++it)
    if (matches_path_pattern(pattern, *it)) result.push_back(*it);
  std::sort(result.begin(), result.end());
  return result;
}

void PackageTree::apply(const ImportRules& rules) {
  add_links(rules);
  add_files(rules);
  for (const std::string& pattern : rules.copies)
    for (const std::string& place : matching(pattern))
      if (const auto found = entries_.find(place);
          found != entries_.end() && found->second.kind == Entry::Kind::file)
        found->second.kind = Entry::Kind::copy;
  for (const std::string& pattern : rules.rewrites)
    for (const std::string& place : matching(pattern)) {
      const auto found = entries_.find(place);
      if (found == entries_.end() || found->second.kind != Entry::Kind::file) continue;
      constexpr size_t max_text = size_t{16} << 20;  // bytes
      found->second.content = Directory(pieces_[found->second.piece].files).read_file(place, max_text);
      found->second.kind = Entry::Kind::text;
    }
  drop_dangling_links();
}

void PackageTree::add_links(const ImportRules& rules) {
  for (const auto& rule : rules.links)
    for (const std::string& target : rule.targets) {
      bool added = false;
      const size_t star = target.find('*');
      const auto places = star == std::string::npos ? std::vector<std::string>{target} : matching(target);
      for (const std::string& there : places) {
        const auto resolved = resolve(there);
        if (!resolved) continue;
        std::string place = rule.place;
        if (star != std::string::npos)
          if (const size_t at = place.find('*'); at != std::string::npos)
            place.replace(at, 1, there.substr(star, there.size() - (target.size() - 1)));
        added = true;
        if (resolve(place)) continue;  // a package has it
        size_t owner = 0;
        // Of the package that offers it, which may offer a link to another one's program.
        const auto offered = entries_.find(there);
        if (const auto found = offered != entries_.end() ? offered : entries_.find(*resolved);
            found != entries_.end())
          owner = found->second.piece;
        std::string relative = std::filesystem::path("/" + there)
                                   .lexically_normal()
                                   .lexically_relative("/" + directory_part(place))
                                   .string();
        while (relative.size() > 1 && relative.ends_with('/')) relative.pop_back();
        entries_[place] = {.kind = Entry::Kind::link,
                           .piece = owner,
                           .target = relative.empty() ? "." : relative,
                           .content = {}};
        for (std::string above = directory_part(place); !above.empty(); above = directory_part(above))
          directories_.insert(above);
      }
      if (added) break;
    }
}

void PackageTree::add_files(const ImportRules& rules) {
  for (const auto& rule : rules.files) {
    const std::string name = rule.place.substr(rule.place.rfind('/') + 1);
    for (const std::string& directory : matching(directory_part(rule.place)))
      if (is_directory(directory))
        entries_[directory + "/" + name] = {
            .kind = Entry::Kind::text, .piece = 0, .target = {}, .content = rule.content};
  }
}

void PackageTree::drop_dangling_links() {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto it = entries_.begin(); it != entries_.end();) {
      if (it->second.kind == Entry::Kind::link && !resolve(it->first)) {
        it = entries_.erase(it);
        changed = true;
      } else {
        ++it;
      }
    }
  }
}

std::string PackageTree::rewritten(std::string_view text, std::string_view directory) const {
  std::string result;
  result.reserve(text.size() + 256);
  for (size_t at = 0; at < text.size();) {
    const bool begins =
        text[at] == '/' && (at == 0 || !(is_path_character(text[at - 1]) || text[at - 1] == '}' ||
                                         text[at - 1] == ')' || text[at - 1] == '$'));
    if (!begins) {
      result += text[at++];
      continue;
    }
    size_t end = at;
    while (end < text.size() && is_path_character(text[end])) ++end;
    const std::string_view path = text.substr(at, end - at);
    at = end;
    // The longest beginning of the path that the tree has, two names at least: "/usr/share" is everybody's.
    std::string_view head = path;
    std::optional<std::string> place;
    while (head.size() > 1) {
      while (head.size() > 1 && head.ends_with('/')) head.remove_suffix(1);
      place = layout_path(head);
      const bool is_ours = head.starts_with("/usr/") || head.starts_with("/bin/") ||
                           head.starts_with("/sbin/") || head.starts_with("/lib/");
      if (!is_ours || !place || place->find('/') == std::string::npos) {
        place.reset();
        break;
      }
      if (resolve(*place)) break;
      place.reset();
      head = head.substr(0, head.rfind('/'));
    }
    if (place)
      result.append(directory).append("/").append(*place).append(path.substr(head.size()));
    else
      result.append(path);
  }
  return result;
}

}  // namespace flox::package
