#include "catalog/start_profile.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/data/json.h"
#include "base/error.h"
#include "store/fetch/delta_base.h"

namespace flox::catalog {
namespace {

using nlohmann::json;
using store::FileRange;

constexpr const char* profile_name = "a start's profile";
constexpr uint64_t profile_version = 1;

// Sorted by file and place, those that touch as one.
std::vector<FileRange> joined(std::vector<FileRange> ranges) {
  std::ranges::sort(ranges, {}, [](const FileRange& one) { return std::tie(one.file, one.begin); });
  std::vector<FileRange> result;
  for (FileRange& range : ranges) {
    if (!result.empty() && result.back().file == range.file && result.back().end >= range.begin)
      result.back().end = std::max(result.back().end, range.end);
    else
      result.push_back(std::move(range));
  }
  return result;
}

}  // namespace

std::string start_profile_stem(const nix::StorePath& path) { return store::package_stem(path.name()); }

StartProfile StartProfile::parse(std::string_view text) {
  const json object = parse_json(text, profile_name, {.bytes = most_bytes});
  if (member(object, "version", profile_name) != profile_version)
    fail(ErrorKind::invalid_input, "{}: it is of another version", profile_name);
  const json& list = member(object, "paths", profile_name);
  if (!list.is_array()) fail(ErrorKind::invalid_input, "{}: no list of paths", profile_name);
  StartProfile result;
  if (const auto packages = object.find("packages"); packages != object.end()) {
    if (!packages->is_array() || packages->size() > most_packages)
      fail(ErrorKind::invalid_input, "{}: no list of at most {} packages", profile_name, most_packages);
    for (const json& one : *packages) {
      if (!one.is_string()) fail(ErrorKind::invalid_input, "{}: a package is no text", profile_name);
      result.packages.push_back(nix::StorePath::from_base_name(one.get<std::string>()));
    }
  }
  if (list.size() > most_paths) fail(ErrorKind::invalid_input, "{}: over {} paths", profile_name, most_paths);
  size_t left = most_ranges;
  uint64_t bytes = 0;
  for (const json& one : list) {
    Path path{.path = nix::StorePath::from_base_name(string_member(one, "path", profile_name)),
              .ranges = store::ranges_of_json(member(one, "ranges", profile_name), left, profile_name)};
    left -= path.ranges.size();
    for (const FileRange& range : path.ranges) {
      if (range.begin >= range.end || range.end - range.begin > most_read - bytes)
        fail(ErrorKind::invalid_input, "{}: a part of a file is empty, or too much is read", profile_name);
      bytes += range.end - range.begin;
    }
    result.paths.push_back(std::move(path));
  }
  return result;
}

std::string StartProfile::to_text() const {
  json list = json::array();
  for (const Path& path : paths)
    list.push_back({{"path", path.path.base_name()}, {"ranges", store::ranges_to_json(path.ranges)}});
  json object{{"version", profile_version}, {"paths", std::move(list)}};
  for (const nix::StorePath& package : packages) object["packages"].push_back(package.base_name());
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

StartProfile StartProfile::for_closure(const std::vector<nix::StorePath>& closure) const {
  std::map<nix::StorePath, const Path*> same;
  std::map<std::string, const Path*> alike;
  for (const Path& path : paths) {
    same.emplace(path.path, &path);
    alike.emplace(start_profile_stem(path.path), &path);
  }
  StartProfile result;
  for (const nix::StorePath& path : closure) {
    const Path* from = nullptr;
    if (const auto found = same.find(path); found != same.end())
      from = found->second;
    else if (const auto other = alike.find(start_profile_stem(path)); other != alike.end())
      from = other->second;
    if (from != nullptr && !from->ranges.empty()) result.paths.push_back({path, from->ranges});
  }
  return result;
}

void StartProfile::add(const StartProfile& earlier) {
  std::map<nix::StorePath, const Path*> before;
  for (const Path& path : earlier.paths) before.emplace(path.path, &path);
  for (Path& path : paths)
    if (const auto found = before.find(path.path); found != before.end())
      path.ranges.insert(path.ranges.end(), found->second->ranges.begin(), found->second->ranges.end());
  // A byte of a name may be written as six.
  const auto size_of = [](std::string_view name) { return 6 * name.size() + 100; };
  size_t ranges = 0, text = 100;
  for (const nix::StorePath& package : packages) text += size_of(package.base_name());
  uint64_t bytes = 0;
  std::vector<Path> kept;
  for (Path& path : paths) {
    text += size_of(path.path.base_name());
    if (text > most_bytes || kept.size() == most_paths) break;
    path.ranges = joined(std::move(path.ranges));
    const auto fits = [&](const FileRange& range) {
      if (ranges == most_ranges || range.end - range.begin > most_read - bytes ||
          size_of(range.file) > most_bytes - text)
        return false;
      ++ranges;
      text += size_of(range.file);
      bytes += range.end - range.begin;
      return true;
    };
    path.ranges.erase(std::ranges::find_if_not(path.ranges, fits), path.ranges.end());
    kept.push_back(std::move(path));
  }
  paths = std::move(kept);
}

void StartProfile::merge(const StartProfile& other) {
  std::set<nix::StorePath> known;
  for (const Path& path : paths) known.insert(path.path);
  for (const Path& path : other.paths)
    if (known.insert(path.path).second) paths.push_back({path.path, {}});
  add(other);
}

void StartProfile::merge_earlier(StartProfile earlier) {
  std::set<nix::StorePath> named;
  std::set<std::string> stems;
  for (const Path& path : paths) {
    named.insert(path.path);
    stems.insert(start_profile_stem(path.path));
  }
  std::erase_if(earlier.paths, [&](const Path& path) {
    return !named.contains(path.path) && stems.contains(start_profile_stem(path.path));
  });
  merge(earlier);
}

bool StartProfile::is_of_one_of(const std::vector<nix::StorePath>& others) const {
  std::set<std::string> stems;
  for (const nix::StorePath& path : others) stems.insert(start_profile_stem(path));
  return std::ranges::any_of(
      packages, [&](const nix::StorePath& path) { return stems.contains(start_profile_stem(path)); });
}

StartProfile::Size StartProfile::size() const {
  Size size;
  for (const Path& path : paths) {
    size.ranges += path.ranges.size();
    for (const FileRange& range : path.ranges) size.bytes += range.end - range.begin;
  }
  return size;
}

bool StartProfile::has(const nix::StorePath& path) const {
  return std::ranges::any_of(paths, [&](const Path& one) { return one.path == path; });
}

}  // namespace flox::catalog
