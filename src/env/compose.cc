#include "env/compose.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.h"
#include "base/printable.h"

namespace flox::env {
namespace {

using nlohmann::json;
using KeyPath = std::vector<std::string>;

constexpr size_t most_includes = 100;
// What Flox calls the composing manifest in warnings.
constexpr const char* composer_name = "Current manifest";

std::string text_of_include(const json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end()) return {};
  if (!found->is_string() || found->get_ref<const std::string&>().empty())
    fail(ErrorKind::invalid_input, "'{}' must be a text", key);
  return found->get<std::string>();
}

IncludeDescriptor descriptor_of(const json& entry) {
  if (!entry.is_object()) fail(ErrorKind::invalid_input, "it must be a table with dir or remote");
  IncludeDescriptor result{.dir = text_of_include(entry, "dir"),
                           .remote = text_of_include(entry, "remote"),
                           .generation = {},
                           .name = text_of_include(entry, "name"),
                           .json = entry,
                           .place = {}};
  for (const auto& [key, value] : entry.items())
    if (key != "dir" && key != "remote" && key != "name" && key != "generation")
      fail(ErrorKind::invalid_input, "unknown key '{}'; known: dir, remote, generation, name",
           printable(key, 60));
  if (result.dir.empty() == result.remote.empty())
    fail(ErrorKind::invalid_input, "it must have either dir or remote");
  if (const auto generation = entry.find("generation"); generation != entry.end()) {
    if (result.remote.empty() || !generation->is_number_integer() || generation->get<double>() < 1 ||
        generation->get<double>() > 1e15)
      fail(ErrorKind::invalid_input, "'generation' must be 1, 2, … of a remote environment");
    result.generation = generation->get<int64_t>();
  }
  return result;
}

const json empty_table = json::object();

// A table of a manifest; an empty one if it has none.
const json& table_of(const json& manifest, const char* name) {
  const auto found = manifest.find(name);
  if (found == manifest.end() || found->is_null()) return empty_table;
  if (!found->is_object()) fail(ErrorKind::invalid_input, "[{}] is not a table", name);
  return *found;
}

// Merges one manifest into those below it.
class ManifestMerger {
 public:
  ManifestMerger(const json& low, const json& high) : low_(low), high_(high) {}

  json merge() {
    for (const char* key : {"version", "schema-version"})
      if (high_.contains(key)) result_[key] = high_[key];
    // What the whole is for says who put it together.
    if (high_.contains("description")) result_["description"] = high_["description"];
    override_member(low_, high_, "minimum-cli-version", {}, result_);
    merge_entries("install");
    merge_entries("pkg-groups");
    merge_entries("vars");
    merge_scripts();
    merge_options();
    merge_entries("services");
    merge_entries("build");
    merge_containerize();
    merge_entries("plugins");
    return std::move(result_);
  }
  std::vector<KeyPath> take_overridden() { return std::move(overridden_); }

 private:
  // The higher one's member if it has it.
  void override_member(const json& low, const json& high, const std::string& key, KeyPath path, json& into) {
    const bool is_low = low.contains(key), is_high = high.contains(key);
    if (is_low || is_high) into[key] = is_high ? high[key] : low[key];
    if (!is_low || !is_high) return;
    path.push_back(key);
    overridden_.push_back(std::move(path));
  }

  void put(const char* table, json value) {
    if (low_.contains(table) || high_.contains(table)) result_[table] = std::move(value);
  }

  json union_of(const json& low, const json& high, const KeyPath& path) {
    json merged = low;
    for (const auto& [key, value] : high.items()) {
      // Whether services start by themselves is no service.
      const bool is_entry = path.front() != "services" || key != "auto-start";
      if (low.contains(key) && is_entry) {
        overridden_.push_back(path);
        overridden_.back().push_back(key);
      }
      merged[key] = value;
    }
    return merged;
  }

  void merge_entries(const char* table) {
    put(table, union_of(table_of(low_, table), table_of(high_, table), {table}));
  }

  static void join(const json& first, const json& second, const std::string& key, json& into) {
    const auto text = [&](const json& from) {
      if (!from[key].is_string())
        fail(ErrorKind::invalid_input, "the script '{}' is not a text", printable(key, 60));
      return from[key].get<std::string>();
    };
    if (first.contains(key) && second.contains(key))
      into[key] = text(first) + "\n" + text(second);
    else if (first.contains(key) || second.contains(key))
      into[key] = text(first.contains(key) ? first : second);
  }

  // What was set up last is taken down first.
  static json joined(const json& low, const json& high, bool is_taken_down) {
    std::set<std::string> keys;
    for (const json* side : {&low, &high})
      for (const auto& [key, value] : side->items()) keys.insert(key);
    json merged = json::object();
    for (const std::string& key : keys) {
      if (key == "deactivate")
        merged[key] = joined(table_of(low, "deactivate"), table_of(high, "deactivate"), true);
      else if (is_taken_down || key == "on-deactivate")
        join(high, low, key, merged);
      else
        join(low, high, key, merged);
    }
    return merged;
  }

  void merge_scripts() {
    for (const char* table : {"hook", "profile"})
      put(table, joined(table_of(low_, table), table_of(high_, table), false));
  }

  // The members of a table within [options] or the like, each for itself.
  void merge_members(const json& low, const json& high, const char* table,
                     std::initializer_list<const char*> keys, const KeyPath& path, json& into) {
    if (!low.contains(table) && !high.contains(table)) return;
    const json& low_members = table_of(low, table);
    const json& high_members = table_of(high, table);
    json merged = low_members;
    merged.update(high_members);
    KeyPath below = path;
    below.emplace_back(table);
    for (const char* key : keys) override_member(low_members, high_members, key, below, merged);
    into[table] = std::move(merged);
  }

  void merge_options() {
    const json& low = table_of(low_, "options");
    const json& high = table_of(high_, "options");
    json merged = low;
    merged.update(high);
    const KeyPath path = {"options"};
    merge_members(low, high, "activate", {"mode", "upgrade-notifications"}, path, merged);
    merge_members(low, high, "allow", {"unfree", "broken", "licenses"}, path, merged);
    merge_members(low, high, "semver", {"allow-pre-releases"}, path, merged);
    override_member(low, high, "cuda-detection", path, merged);
    override_member(low, high, "stability", path, merged);
    override_member(low, high, "systems", path, merged);
    put("options", std::move(merged));
  }

  static json united(const json& low, const json& high) {
    std::set<json> all;
    for (const json* side : {&low, &high})
      if (side->is_array()) all.insert(side->begin(), side->end());
    return json(std::vector<json>(all.begin(), all.end()));
  }

  void merge_containerize() {
    if (!low_.contains("containerize") && !high_.contains("containerize")) return;
    const json& low = table_of(table_of(low_, "containerize"), "config");
    const json& high = table_of(table_of(high_, "containerize"), "config");
    json merged = low;
    merged.update(high);
    const KeyPath path = {"containerize", "config"};
    for (const char* key : {"user", "cmd", "working-dir"}) override_member(low, high, key, path, merged);
    if (low.contains("labels") || high.contains("labels")) {
      KeyPath labels = path;
      labels.emplace_back("labels");
      merged["labels"] = union_of(table_of(low, "labels"), table_of(high, "labels"), labels);
    }
    override_member(low, high, "stop-signal", path, merged);
    for (const char* key : {"exposed-ports", "volumes"})
      if (low.contains(key) && high.contains(key)) merged[key] = united(low[key], high[key]);
    result_["containerize"] = table_of(low_, "containerize");
    result_["containerize"].update(table_of(high_, "containerize"));
    result_["containerize"]["config"] = std::move(merged);
  }

  const json& low_;
  const json& high_;
  json result_ = json::object();
  std::vector<KeyPath> overridden_;
};

}  // namespace

std::vector<IncludeDescriptor> includes_of(const Manifest& manifest) {
  std::vector<IncludeDescriptor> result;
  return in_context(manifest.place_of("include"), [&] {
    const json& include = table_of(manifest.json, "include");
    const auto list = include.find("environments");
    if (list == include.end()) return result;
    if (!list->is_array() || list->size() > most_includes)
      fail(ErrorKind::invalid_input, "include.environments must be a list of at most {} tables",
           most_includes);
    for (const json& entry : *list) {
      const std::string at = manifest.place_of(fmt::format("include.{}", result.size()));
      result.push_back(in_context(fmt::format("include.environments, element {}", result.size() + 1),
                                  [&] { return descriptor_of(entry); }));
      result.back().place = at;
    }
    return result;
  });
}

ComposedManifest compose(const json& composer, const std::vector<IncludedManifest>& included) {
  ComposedManifest result{.manifest = {}, .warnings = json::array()};
  const auto add = [&](const std::string& name, const json& manifest) {
    if (!manifest.is_object())
      fail(ErrorKind::invalid_input, "the manifest of '{}' is not an object", printable(name, 60));
    if (result.manifest.is_null()) {
      result.manifest = manifest;
    } else {
      ManifestMerger merger(result.manifest, manifest);
      json merged = merger.merge();
      result.manifest = std::move(merged);
      for (KeyPath& path : merger.take_overridden())
        result.warnings.push_back(
            {{"warning", {{"Overriding", std::move(path)}}}, {"higher_priority_name", name}});
    }
    result.manifest.erase("include");
  };
  for (const IncludedManifest& one : included) add(one.name, one.manifest);
  add(composer_name, composer);
  return result;
}

}  // namespace flox::env
