#include "trust/key_changes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/printable.h"

namespace flox::trust {
namespace {

constexpr size_t shortest_id = 8;  // digits

void add_to(Keys& keys, const Key& key) {
  const auto [place, is_new] = keys.emplace(key.id(), key);
  if (!is_new && !key.name.empty()) place->second.name = key.name;
}

bool has(const Role& role, const std::string& id) {
  return std::ranges::find(role.keyids, id) != role.keyids.end();
}

void keep_used(Keys& keys, const std::vector<const Role*>& roles) {
  std::erase_if(keys, [&](const auto& entry) {
    return std::ranges::none_of(roles, [&](const Role* role) { return has(*role, entry.first); });
  });
}

void keep_used(Root& root) {
  keep_used(root.keys, {&root.root, &root.targets, &root.snapshot, &root.timestamp});
}

void keep_used(Targets& targets) {
  std::vector<const Role*> roles;
  for (const DelegatedRole& role : targets.roles) roles.push_back(&role);
  keep_used(targets.keys, roles);
}

void replace_in(Role& role, std::string_view name, const std::string& old_id, const std::string& new_id) {
  const auto place = std::ranges::find(role.keyids, old_id);
  if (place == role.keyids.end())
    fail(ErrorKind::not_found, "role {} has no key {}", name, old_id.substr(0, shortest_id));
  if (has(role, new_id))
    fail(ErrorKind::conflict, "role {} has the key {} already", name, new_id.substr(0, shortest_id));
  *place = new_id;
}

DelegatedRole& delegated(Targets& targets, std::string_view name) {
  const auto role = std::ranges::find(targets.roles, name, &DelegatedRole::name);
  if (role != targets.roles.end()) return *role;
  std::vector<std::string> names;
  for (const DelegatedRole& other : targets.roles) names.push_back(other.name);
  throw Error(ErrorKind::not_found,
              fmt::format("{} has delegated nothing to a role '{}'", targets.owner, printable(name, 100)),
              names.empty()
                  ? "Make it with 'flox trust add-key … --paths PATTERN'."
                  : fmt::format("Name one of {}, or make it with 'flox trust add-key … --paths PATTERN'.",
                                fmt::join(names, ", ")));
}

void require_attainable(const Role& role, std::string_view name) {
  if (role.threshold <= role.keyids.size()) return;
  throw Error(ErrorKind::invalid_input,
              fmt::format("role {} needs {} signatures, and would have {} keys", name, role.threshold,
                          role.keyids.size()),
              "Add another key first, or lower the threshold with 'flox trust add-key … --threshold N'.");
}

}  // namespace

std::string find_key(const Keys& keys, std::string_view text) {
  std::vector<std::string> found, all;
  for (const auto& [id, key] : keys) {
    all.push_back(describe_key(id, keys));
    if (key.name == text || (text.size() >= shortest_id && std::string_view(id).starts_with(text)))
      found.push_back(id);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1)
    throw Error(ErrorKind::conflict,
                fmt::format("'{}' may be any of {} keys", printable(text, 100), found.size()),
                fmt::format("Name it by its id: {}.", fmt::join(found, ", ")));
  throw Error(ErrorKind::not_found, fmt::format("there is no key '{}'", printable(text, 100)),
              fmt::format("Name one of {}.", fmt::join(all, ", ")));
}

std::vector<std::string> full_patterns(const std::vector<std::string>& patterns) {
  std::vector<std::string> result;
  for (const std::string& pattern : patterns)
    if (pattern.find('/') == std::string::npos) {
      result.push_back(package_name(pattern));
      result.push_back(environment_name(pattern));
    } else {
      result.push_back(pattern);
    }
  for (const std::string& pattern : result) check_pattern(pattern);
  return result;
}

void add_key(Targets& targets, const DelegatedKey& added) {
  const std::vector<std::string> paths = full_patterns(added.paths);
  const auto exists =
      std::ranges::find(targets.roles, added.role, &DelegatedRole::name) != targets.roles.end();
  if (!exists && !paths.empty()) {
    check_label(added.role, "the role's name");
    if (added.role == "root" || added.role == "targets" || added.role == "snapshot" ||
        added.role == "timestamp")
      fail(ErrorKind::invalid_input, "'{}' is a role of the root, which delegates nothing", added.role);
    if (targets.roles.size() >= most_roles)
      fail(ErrorKind::invalid_input, "{} has {} roles, and no more are possible", targets.owner, most_roles);
    DelegatedRole role;
    role.name = added.role;
    role.terminating = added.terminating;
    targets.roles.insert(added.terminating ? targets.roles.begin() : targets.roles.end(), std::move(role));
  }
  DelegatedRole& role = delegated(targets, added.role);
  const std::string id = added.key.id();
  // Of a role that is there, a call with a key that it has changes patterns or threshold.
  if (has(role, id) && paths.empty() && added.threshold == 0)
    fail(ErrorKind::conflict, "role {} has the key {} already", added.role, describe_key(id, targets.keys));
  if (!has(role, id)) role.keyids.push_back(id);
  add_to(targets.keys, added.key);
  for (const std::string& path : paths)
    if (std::ranges::find(role.paths, path) == role.paths.end()) role.paths.push_back(path);
  if (role.paths.size() > most_paths || targets.keys.size() > most_keys)
    fail(ErrorKind::invalid_input, "a role has at most {} patterns, and an owner {} keys", most_paths,
         most_keys);
  if (added.threshold != 0) role.threshold = added.threshold;
  require_attainable(role, added.role);
}

void replace_key(Root& root, std::string_view role, const std::string& old_id, const Key& key) {
  const std::string id = key.id();
  if (role == "root") {
    replace_in(root.root, role, old_id, id);
  } else if (role == "targets") {
    replace_in(root.targets, role, old_id, id);
  } else if (role == "timestamp") {
    replace_in(root.timestamp, role, old_id, id);
    root.snapshot = root.timestamp;
  } else {
    fail(ErrorKind::not_found, "'{}' is not a role of the root", printable(role, 100));
  }
  add_to(root.keys, key);
  keep_used(root);
}

void replace_key(Targets& targets, std::string_view role, const std::string& old_id, const Key& key) {
  replace_in(delegated(targets, role), role, old_id, key.id());
  add_to(targets.keys, key);
  keep_used(targets);
}

std::vector<std::string> revoke_key(Root& root, const std::string& id) {
  std::vector<std::string> roles;
  if (has(root.timestamp, id) || has(root.snapshot, id))
    throw Error(ErrorKind::invalid_input,
                "it is the catalog's online key, and no timestamp would count without one",
                fmt::format("Replace it with 'flox trust rotate {} timestamp'.", root.owner));
  for (auto [name, role] : {std::pair("root", &root.root), std::pair("targets", &root.targets)}) {
    if (!has(*role, id)) continue;
    std::erase(role->keyids, id);
    if (role->keyids.empty())
      throw Error(ErrorKind::invalid_input, fmt::format("it is the only key of role {}", name),
                  fmt::format("Replace it with 'flox trust rotate {} {}'.", root.owner, name));
    require_attainable(*role, name);
    roles.emplace_back(name);
  }
  keep_used(root);
  return roles;
}

std::vector<std::string> revoke_key(Targets& targets, const std::string& id) {
  std::vector<std::string> roles;
  for (DelegatedRole& role : targets.roles) {
    if (!has(role, id)) continue;
    roles.push_back(role.name);
    std::erase(role.keyids, id);
    if (!role.keyids.empty()) require_attainable(role, role.name);
  }
  std::erase_if(targets.roles, [](const DelegatedRole& role) { return role.keyids.empty(); });
  keep_used(targets);
  return roles;
}

}  // namespace flox::trust
