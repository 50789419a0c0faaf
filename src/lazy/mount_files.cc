#include "lazy/mount_files.h"

#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "nix/cache_layout.h"

namespace flox::lazy {
namespace {

using nlohmann::json;

constexpr std::string_view plan_name = "mount.json", offers_name = "offers.json", index_name = "index.zst";
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

bool flag(const json& plan, const char* key) {
  const json& value = member(plan, key, plan_name);
  if (!value.is_boolean()) fail(ErrorKind::invalid_input, "{}: {} is not true or false", plan_name, key);
  return value.get<bool>();
}

}  // namespace

void write_mount_files(const Directory& files, const MountPlan& plan, const std::vector<RemotePath>& paths) {
  json names = json::array();
  for (const RemotePath& path : paths) {
    json offers = json::array();
    for (const Offer& offer : path.offers)
      offers.push_back({{"cache", offer.cache}, {"narinfo", offer.narinfo}});
    files.make_directory(path.info.path.base_name(), 0700);
    files.write_file(of(path.info.path, offers_name), offers.dump(), 0600);
    files.write_file(of(path.info.path, index_name), path.index_file, 0600);
    names.push_back(path.info.path.base_name());
  }
  const json text = {{"directory", plan.directory},
                     {"caches", plan.caches},
                     {"trusted_keys", plan.trusted_keys},
                     {"isolation_required", plan.isolation == IsolationPolicy::required},
                     {"whole", plan.whole},
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

}  // namespace flox::lazy
