// The metadata that names keys: root and targets.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/printable.h"
#include "trust/members.h"
#include "trust/metadata.h"
#include "trust/metadata_header.h"

namespace flox::trust {
namespace {

constexpr size_t keyid_digits = 64;

nlohmann::json to_json(const Keys& keys) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [id, key] : keys) json[id] = key.to_json();
  return json;
}

Keys keys_of(const nlohmann::json& json) {
  if (json.size() > most_keys) fail(ErrorKind::invalid_input, "there are more than {} keys", most_keys);
  Keys keys;
  for (const auto& [id, value] : json.items())
    in_context(fmt::format("key {}", printable(id, keyid_digits)), [&] {
      Key key = Key::from_json(value);
      if (const std::string own = key.id(); own != id)
        fail(ErrorKind::invalid_input, "its id is not its hash, which is {}", own);
      keys.emplace(id, std::move(key));
    });
  return keys;
}

void add_role(nlohmann::json& json, const Role& role) {
  json["keyids"] = role.keyids;
  json["threshold"] = role.threshold;
}

void read_role(Members& members, const Keys& keys, Role& role) {
  role.keyids = members.texts("keyids", most_keys);
  if (role.keyids.empty()) fail(ErrorKind::invalid_input, "it has no keys");
  for (const std::string& id : role.keyids)
    if (!keys.contains(id)) fail(ErrorKind::invalid_input, "there is no key {}", printable(id, keyid_digits));
  if (std::set<std::string>(role.keyids.begin(), role.keyids.end()).size() != role.keyids.size())
    fail(ErrorKind::invalid_input, "it names one key twice");
  role.threshold = members.number("threshold", 1, role.keyids.size());
}

Role top_level_role(Members& roles, const char* name, const Keys& keys) {
  return in_context(fmt::format("role {}", name), [&] {
    Members members(roles.object(name));
    Role role;
    read_role(members, keys, role);
    members.end();
    return role;
  });
}

bool is_top_level(std::string_view name) {
  return name == "root" || name == "targets" || name == "snapshot" || name == "timestamp";
}

DelegatedRole delegated_role(const nlohmann::json& json, const Keys& keys) {
  Members members(json);
  DelegatedRole role;
  role.name = members.text("name");
  check_label(role.name, "the role's name");
  if (is_top_level(role.name)) fail(ErrorKind::invalid_input, "'{}' names a role of the root", role.name);
  return in_context(fmt::format("role {}", role.name), [&] {
    read_role(members, keys, role);
    role.paths = members.texts("paths", most_paths);
    if (role.paths.empty()) fail(ErrorKind::invalid_input, "it has no paths");
    for (const std::string& pattern : role.paths) check_pattern(pattern);
    role.terminating = members.truth("terminating");
    members.end();
    return role;
  });
}

}  // namespace

nlohmann::json Root::to_json() const {
  nlohmann::json json = header_json(*this, type);
  json["consistent_snapshot"] = true;
  json["keys"] = trust::to_json(keys);
  for (const auto& [name, role] : {std::pair("root", &this->root), std::pair("targets", &targets),
                                   std::pair("snapshot", &snapshot), std::pair("timestamp", &timestamp)})
    add_role(json["roles"][name], *role);
  return json;
}

Root Root::from_json(const nlohmann::json& json) {
  Members members(json);
  Root result;
  read_header(members, type, result);
  if (!members.truth("consistent_snapshot"))
    fail(ErrorKind::invalid_input, "member 'consistent_snapshot' is not true");
  result.keys = keys_of(members.object("keys"));
  Members roles(members.object("roles"));
  result.root = top_level_role(roles, "root", result.keys);
  result.targets = top_level_role(roles, "targets", result.keys);
  result.snapshot = top_level_role(roles, "snapshot", result.keys);
  result.timestamp = top_level_role(roles, "timestamp", result.keys);
  in_context("roles", [&] { roles.end(); });
  members.end();
  return result;
}

bool DelegatedRole::covers(std::string_view name) const {
  return std::ranges::any_of(paths, [&](const std::string& pattern) { return matches(pattern, name); });
}

nlohmann::json Targets::to_json() const {
  nlohmann::json json = header_json(*this, type);
  json["targets"] = nlohmann::json::object();
  nlohmann::json& delegations = json["delegations"];
  delegations["keys"] = trust::to_json(keys);
  delegations["roles"] = nlohmann::json::array();
  for (const DelegatedRole& role : roles) {
    nlohmann::json one = {{"name", role.name}, {"paths", role.paths}, {"terminating", role.terminating}};
    add_role(one, role);
    delegations["roles"].push_back(std::move(one));
  }
  return json;
}

Targets Targets::from_json(const nlohmann::json& json) {
  Members members(json);
  Targets result;
  read_header(members, type, result);
  if (!members.object("targets").empty())
    fail(ErrorKind::invalid_input, "targets.json holds delegations only, and this one has targets");
  Members delegations(members.object("delegations"));
  result.keys = in_context("delegations", [&] { return keys_of(delegations.object("keys")); });
  std::set<std::string> names;
  for (const nlohmann::json& role : delegations.array("roles", most_roles)) {
    result.roles.push_back(in_context("delegations", [&] { return delegated_role(role, result.keys); }));
    if (!names.insert(result.roles.back().name).second)
      fail(ErrorKind::invalid_input, "there are two roles '{}'", result.roles.back().name);
  }
  in_context("delegations", [&] { delegations.end(); });
  members.end();
  return result;
}

}  // namespace flox::trust
