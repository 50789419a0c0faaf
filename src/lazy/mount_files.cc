#include "lazy/mount_files.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "nix/cache_layout.h"

namespace flox::lazy {
namespace {

using nlohmann::json;

constexpr std::string_view plan_name = "mount.json", offers_name = "offers.json", index_name = "index.zst";
constexpr std::string_view slot_name = "slot", whole_name = "whole", last_slot_name = "last-slot";
constexpr size_t longest_path = 4096, longest_number = 16;  // bytes
constexpr JsonLimits limits{.bytes = 64 << 20};

std::string of(const nix::StorePath& path, std::string_view name) {
  return fmt::format("{}/{}", path.base_name(), name);
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

uint32_t number_in(const Directory& files, const std::string& name) {
  const std::string text = files.read_file(name, longest_number);
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0)
    fail(ErrorKind::invalid_input, "{} is no number of a slot", name);
  return number;
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
  files.remove(path.info.path.base_name());
  files.make_directory(path.info.path.base_name(), 0700);
  files.write_file(of(path.info.path, offers_name), offers.dump(), 0600);
  files.write_file(of(path.info.path, index_name), path.index_file, 0600);
}

void write_mount_files(const Directory& files, const MountPlan& plan, const std::vector<RemotePath>& paths) {
  json names = json::array();
  for (const RemotePath& path : paths) {
    write_remote_path(files, path);
    names.push_back(path.info.path.base_name());
  }
  const json text = {{"directory", plan.directory},
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
  const json list = parse_json(files.read_file(of(path, offers_name), limits.bytes), offers_name, limits);
  std::vector<Offer> offers;
  for (const json& offer : list) {
    const json& cache = member(offer, "cache", offers_name);
    if (!cache.is_number_unsigned()) fail(ErrorKind::invalid_input, "{}: no number of a cache", offers_name);
    offers.push_back({cache.get<size_t>(), string_member(offer, "narinfo", offers_name)});
  }
  return remote.again(path, std::move(offers), files.read_file(of(path, index_name), nix::max_index_size));
}

void write_given_path(const Directory& files, const GivenPath& given) {
  if (!given.whole.empty()) files.write_file(of(given.path, whole_name), given.whole, 0600);
  files.write_file(of(given.path, slot_name), std::to_string(given.slot), 0600);
}

std::vector<GivenPath> read_given_paths(const Directory& files) {
  std::vector<GivenPath> result;
  for (const std::string& name : files.names()) {
    if (!files.exists(name + "/" + std::string(slot_name))) continue;
    GivenPath given{.path = nix::StorePath::from_base_name(name)};
    given.slot = number_in(files, of(given.path, slot_name));
    if (files.exists(of(given.path, whole_name)))
      given.whole = files.read_file(of(given.path, whole_name), longest_path);
    result.push_back(std::move(given));
  }
  return result;
}

void remove_given_path(const Directory& files, const nix::StorePath& path) {
  files.remove(of(path, slot_name));
  files.remove(path.base_name());
}

uint32_t take_slot(const Directory& files) {
  const std::string name(last_slot_name);
  const uint32_t slot = (files.exists(name) ? number_in(files, name) : 0) + 1;
  if (slot == 0) fail(ErrorKind::unavailable, "the mount has had all paths that it can have");
  files.write_file(name, std::to_string(slot), 0600);
  return slot;
}

}  // namespace flox::lazy
