#include "lazy/mount_files.h"

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "nix/cache_layout.h"

namespace flox::lazy {
namespace {

using nlohmann::json;

constexpr std::string_view plan_name = "mount.json", slots_name = "slots.json";
constexpr std::string_view known_name = "known", parts_name = "parts";
constexpr JsonLimits limits{.bytes = 64 << 20};
constexpr unsigned format = 2;  // of these files: those of another version of this program may be otherwise

std::string in(std::string_view directory, const nix::StorePath& path) {
  return fmt::format("{}/{}", directory, path.base_name());
}

std::vector<std::string> texts(const json& plan, const char* key) {
  const json& list = member(plan, key, plan_name);
  std::vector<std::string> result;
  for (const json& text : list) {
    if (!text.is_string()) fail(ErrorKind::invalid_input, "{}: {} is no list of texts", plan_name, key);
    result.push_back(text.get<std::string>());
  }
  return result;
}

uint32_t slot_in(const json& value) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > UINT32_MAX)
    fail(ErrorKind::invalid_input, "{}: a slot is no number", slots_name);
  return value.get<uint32_t>();
}

bool flag(const json& plan, const char* key) {
  const json& value = member(plan, key, plan_name);
  if (!value.is_boolean()) fail(ErrorKind::invalid_input, "{}: {} is not true or false", plan_name, key);
  return value.get<bool>();
}

}  // namespace

void write_remote_path(const Directory& files, const RemotePath& path) {
  json offers = json::array();
  for (const Offer& offer : path.offers)
    offers.push_back({{"cache", offer.cache}, {"narinfo", offer.narinfo}});
  files.write_file(in(known_name, path.info.path), offers.dump() + '\n' + path.index_file, 0600);
}

bool has_remote_path(const Directory& files, const nix::StorePath& path) {
  return files.exists(in(known_name, path));
}

Directory parts_of(const Directory& files) { return files.subdirectory(parts_name); }

std::filesystem::path part_place(const std::filesystem::path& files, const nix::StorePath& path) {
  return files / parts_name / path.base_name();
}

void write_mount_files(const Directory& files, const MountPlan& plan, const std::vector<RemotePath>& paths) {
  files.make_directory(known_name, 0700);
  files.make_directory(parts_name, 0700);
  json names = json::array();
  for (const RemotePath& path : paths) {
    write_remote_path(files, path);
    names.push_back(path.info.path.base_name());
  }
  const json text = {{"format", format},
                     {"directory", plan.directory},
                     {"caches", plan.caches},
                     {"trusted_keys", plan.trusted_keys},
                     {"isolation_required", plan.isolation == IsolationPolicy::required},
                     {"whole", plan.whole},
                     {"further", plan.further},
                     {"paths", std::move(names)}};
  files.write_file(plan_name, text.dump(), 0600);
}

MountPlan read_mount_plan(const Directory& files) {
  const json plan = parse_json(files.read_file(plan_name, limits.bytes), plan_name, limits);
  if (!plan.is_object() || !plan.contains("format") || plan["format"] != format)
    fail(ErrorKind::invalid_input, "{}: it is of another version of this program", plan_name);
  MountPlan result{.directory = string_member(plan, "directory", plan_name),
                   .caches = texts(plan, "caches"),
                   .trusted_keys = texts(plan, "trusted_keys"),
                   .isolation = flag(plan, "isolation_required") ? IsolationPolicy::required
                                                                 : IsolationPolicy::best_effort,
                   .whole = flag(plan, "whole"),
                   .further = flag(plan, "further"),
                   .paths = {}};
  for (const std::string& name : texts(plan, "paths"))
    result.paths.push_back(nix::StorePath::from_base_name(name));
  return result;
}

RemotePath read_mounted_path(const Directory& files, const nix::StorePath& path, RemotePaths& remote) {
  const std::string name = in(known_name, path);
  const std::string text = files.read_file(name, limits.bytes + nix::max_index_size);
  const size_t line = std::min(text.find('\n'), text.size());
  const json list = parse_json(std::string_view(text).substr(0, line), name, limits);
  std::vector<Offer> offers;
  for (const json& offer : list) {
    const json& cache = member(offer, "cache", name);
    if (!cache.is_number_unsigned()) fail(ErrorKind::invalid_input, "{}: no number of a cache", name);
    offers.push_back({cache.get<size_t>(), string_member(offer, "narinfo", name)});
  }
  return remote.again(path, std::move(offers), text.substr(std::min(line + 1, text.size())));
}

void write_given_paths(const Directory& files, const GivenPaths& given) {
  json paths = json::array();
  for (const GivenPath& path : given.paths) paths.push_back({path.path.base_name(), path.slot, path.whole});
  files.write_file(slots_name, json{{"last", given.last_slot}, {"paths", std::move(paths)}}.dump(), 0600);
}

GivenPaths read_given_paths(const Directory& files) {
  GivenPaths result;
  if (!files.exists(slots_name)) return result;
  const json text = parse_json(files.read_file(slots_name, limits.bytes), slots_name, limits);
  result.last_slot = slot_in(member(text, "last", slots_name));
  for (const json& path : member(text, "paths", slots_name)) {
    if (!path.is_array() || path.size() != 3 || !path[0].is_string() || !path[2].is_string())
      fail(ErrorKind::invalid_input, "{}: a path is no name with its slot and its store", slots_name);
    result.paths.push_back({.path = nix::StorePath::from_base_name(path[0].get<std::string>()),
                            .slot = slot_in(path[1]),
                            .whole = path[2].get<std::string>()});
  }
  return result;
}

void remove_path(const Directory& files, const nix::StorePath& path) {
  files.remove(in(known_name, path));
  files.remove(in(parts_name, path));
}

}  // namespace flox::lazy
