#include "package/build/accesses.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/printable.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_asked = 1000;  // files whose packages are asked for
constexpr size_t widest_path = 200;  // characters
constexpr size_t most_programs = 3;  // in a line
constexpr size_t most_packages = 8;  // in the advice

std::string_view word_for(AccessKind kind) {
  switch (kind) {
    case AccessKind::executed:
      return "executed";
    case AccessKind::read:
      return "read";
    case AccessKind::wrote:
      return "wrote";
    case AccessKind::connected:
      return "connected";
    case AccessKind::listed:
      return "listed";
    case AccessKind::examined:
      return "examined";
  }
  return "used";
}

std::string short_program(const std::string& program) {
  return program.empty() ? "a program that has ended" : printable(fs::path(program).filename().string(), 60);
}

}  // namespace

void Accesses::add(const std::string& path, AccessKind kind, const std::string& program) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end() && by_path_.size() >= most) {
    ++left_out_;
    return;
  }
  const bool is_new = found == by_path_.end();
  Access& access = is_new ? by_path_[path] : found->second;
  ++access.times;
  if (!is_new && kind >= access.kind) return;
  access.kind = kind;
  access.program = program;
}

void Accesses::find_packages(const Owners& owners) {
  std::vector<std::pair<AccessKind, std::string>> order;
  for (const auto& [path, access] : by_path_) order.emplace_back(access.kind, path);
  std::ranges::sort(order);
  std::set<fs::path> files;
  for (const auto& [kind, path] : order) {
    if (files.size() == most_asked) break;
    files.insert(path);
  }
  if (files.empty()) return;
  for (auto& [path, package] : owners(files)) packages_[path.string()] = std::move(package);
}

struct Accesses::Group {
  std::string package;  // or empty: those of a directory
  std::string first;    // the weightiest of its paths
  Access access;        // of that
  size_t paths = 0;
  std::set<std::string> programs;
};

std::vector<Accesses::Group> Accesses::groups() const {
  std::map<std::string, Group> by_key;
  for (const auto& [path, access] : by_path_) {
    const auto package = packages_.find(path);
    const bool is_known = package != packages_.end();
    Group& group = by_key[is_known ? "package " + package->second : fs::path(path).parent_path().string()];
    if (is_known) group.package = package->second;
    if (group.paths++ == 0 || access.kind < group.access.kind) {
      group.first = path;
      group.access = access;
    }
    group.programs.insert(short_program(access.program));
  }
  std::vector<Group> result;
  for (auto& [key, group] : by_key) result.push_back(std::move(group));
  std::ranges::stable_sort(result, {}, [](const Group& group) { return group.access.kind; });
  return result;
}

std::vector<std::string> Accesses::lines(size_t most_lines) const {
  std::vector<std::string> result;
  const std::vector<Group> all = groups();
  for (const Group& group : all) {
    if (result.size() == most_lines) break;
    std::string more, programs;
    if (group.paths > 1)
      more = fmt::format(" and {} more {}", group.paths - 1,
                         group.package.empty() ? "in its directory" : "of the package");
    size_t named = 0;
    for (const std::string& program : group.programs)
      if (++named <= most_programs) programs += (named == 1 ? "" : ", ") + program;
    if (named > most_programs) programs += ", …";
    result.push_back(fmt::format(
        "{:<9} {}{}, by {}{}", word_for(group.access.kind), printable(group.first, widest_path), more,
        programs,
        group.package.empty() ? "" : fmt::format(" (Debian package {})", printable(group.package, 100))));
  }
  if (all.size() > result.size())
    result.push_back(fmt::format("and of {} other packages and directories", all.size() - result.size()));
  if (left_out_ > 0) result.push_back(fmt::format("and {} times files beyond the first {}", left_out_, most));
  if (unseen_ > 0) result.push_back(fmt::format("{} accesses could not be examined", unseen_));
  return result;
}

std::vector<std::string> Accesses::packages() const {
  std::vector<std::string> result;
  for (const Group& group : groups())
    if (!group.package.empty() && result.size() < most_packages) result.push_back(group.package);
  return result;
}

std::string Accesses::example() const {
  const std::vector<Group> all = groups();
  return all.empty() ? "" : all.front().first;
}

nlohmann::json Accesses::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [path, access] : by_path_) {
    const auto package = packages_.find(path);
    list.push_back(
        {{"path", path},
         {"how", word_for(access.kind)},
         {"times", access.times},
         {"program", access.program},
         {"package", package == packages_.end() ? nlohmann::json() : nlohmann::json(package->second)}});
  }
  return {{"accesses", std::move(list)}, {"leftOut", left_out_}, {"unseen", unseen_}};
}

}  // namespace flox::package
