// Owners, their members, and who may see what is theirs: /api/v1/owners/OWNER.
#include <algorithm>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/environment_name.h"
#include "server/api/answers.h"
#include "server/api/page.h"
#include "server/api/resources.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr const char* body_name = "the body";
constexpr size_t longest_user = 255;  // bytes
constexpr size_t most_members = 10'000;

bool flag_in(const json& body, const char* key) {
  const json& value = flox::member(body, key, body_name);
  if (!value.is_boolean()) fail(ErrorKind::invalid_input, "'{}' is neither true nor false", key);
  return value.get<bool>();
}

Owner owner_of(ApiContext& context, const std::string& name) {
  if (auto owner = context.accounts.owners.find(name)) return std::move(*owner);
  throw Error(ErrorKind::not_found, fmt::format("the catalog has no owner {}", name.substr(0, 100)),
              "The catalog's operator makes owners: flox owner create OWNER.");
}

json to_json(const Owner& owner) {
  return {{"name", owner.name}, {"private", owner.is_private}, {"created_at", owner.created_at}};
}

ServerResponse list_owners(ApiContext& context, const Call& call) {
  auto owners = context.accounts.owners.list();
  std::erase_if(owners, [&](const Owner& owner) { return !call.caller().may(Role::read, owner.name); });
  return page_of(
      owners, call, 1, [](const Owner& owner) { return CursorKey{owner.name}; },
      [](const Owner& owner, const CursorKey& key) { return owner.name > key[0]; },
      [&](const Owner& owner) {
        json item = to_json(owner);
        item["role"] = to_text(call.caller().role_for(owner.name));
        return item;
      });
}

ServerResponse create_owner(ApiContext& context, const Call& call) {
  const json body = call.json();
  const Owner owner{.name = string_member(body, "name", body_name),
                    .is_private = flag_in(body, "private"),
                    .created_at = now_rfc3339()};
  catalog::check_environment_name(owner.name, "any");
  if (!context.accounts.owners.create(owner))
    throw Error(ErrorKind::conflict, fmt::format("there is an owner {} already", owner.name),
                "Choose another name, or use that one: flox owner members OWNER.");
  log::info("{} made owner {}", call.caller().name(), owner.name);
  return as_json(to_json(owner), 201);
}

ServerResponse show_owner(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("owner");
  // Whoever is no member learns no more than that there is nothing to see.
  if (!call.caller().may(Role::read, name))
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no owner {}", name.substr(0, 100)),
                "The catalog's operator makes owners: flox owner create OWNER.");
  json answer = to_json(owner_of(context, name));
  json members = json::array();
  for (const auto& one : context.accounts.owners.members(name))
    members.push_back({{"user", one.user}, {"role", to_text(one.role)}});
  answer["members"] = std::move(members);
  return as_json(answer);
}

ServerResponse put_member(ApiContext& context, const Call& call) {
  const Owner owner = owner_of(context, call.parameter("owner"));
  const json body = call.json();
  const std::string user = string_member(body, "user", body_name);
  const auto role = role_of(string_member(body, "role", body_name));
  if (!role) fail(ErrorKind::invalid_input, "'role' is none of read, publish and admin");
  if (user.empty() || user.size() > longest_user || user.starts_with('@') ||
      std::ranges::any_of(user, [](unsigned char c) { return c <= 0x20 || c >= 0x7F; }))
    throw Error(ErrorKind::invalid_input, "'user' is not the name of a user",
                "Use the name that 'flox auth status' shows to that user.");
  if (context.accounts.owners.members(owner.name).size() >= most_members)
    fail(ErrorKind::invalid_input, "an owner has at most {} members", most_members);
  context.accounts.owners.put_member(owner.name, {.user = user, .role = *role});
  context.accounts.identity.forget();
  log::info("{}: {} may {} for {}", call.caller().name(), user, to_text(*role), owner.name);
  return as_json({{"user", user}, {"role", to_text(*role)}}, 201);
}

ServerResponse remove_member(ApiContext& context, const Call& call) {
  const std::string owner = call.parameter("owner");
  const std::string user = call.parameter("user");
  if (!context.accounts.owners.remove_member(owner, user))
    throw Error(ErrorKind::not_found, fmt::format("{} is not a member of {}", user.substr(0, 100), owner),
                "Run 'flox owner members OWNER' to see who is.");
  context.accounts.identity.forget();
  log::info("{}: {} is no member of {} any more", call.caller().name(), user, owner);
  return as_json({{"user", user}});
}

ServerResponse set_package(ApiContext& context, const Call& call) {
  const Owner owner = owner_of(context, call.parameter("owner"));
  const std::string name = call.parameter("name");
  const bool is_private = flag_in(call.json(), "private");
  const auto now = context.accounts.holdings.find(Kind::package, name);
  const auto builds = context.records.builds(name);
  // The operator may give a package to an owner; an admin has it already.
  if (builds.empty() || (!call.caller().is_operator && (!now || now->owner != owner.name)))
    throw Error(ErrorKind::not_found, fmt::format("{} has no package {}", owner.name, name.substr(0, 200)),
                "Publish it first.");
  const Holding holding{.owner = owner.name, .is_private = is_private, .since = now_rfc3339()};
  nix::StorePathSet paths;
  for (const auto& build : builds)
    for (const auto& [output, path] : build.outputs) paths.insert(path);
  const auto closure = files_here(context, call.caller(), paths);
  const std::string signer = context.records.owner_of(name);
  context.accounts.holdings.put(Kind::package, name, holding, [&](Session& session) {
    Visibility::publish_files(session, call.caller(), holding, closure);
    if (!signer.empty() && signer != owner.name) Records::disown(session, name);
  });
  log::info("{}: package {} of {} is {}", call.caller().name(), name, owner.name,
            is_private ? "private" : "public");
  return as_json({{"owner", owner.name}, {"package", name}, {"private", is_private}});
}

ServerResponse set_environment(ApiContext& context, const Call& call) {
  const Owner owner = owner_of(context, call.parameter("owner"));
  const std::string name = call.parameter("name");
  const bool is_private = flag_in(call.json(), "private");
  auto generation = context.environments.find(owner.name, name, std::nullopt);
  if (!generation)
    throw Error(ErrorKind::not_found,
                fmt::format("{} has no environment {}", owner.name, name.substr(0, 200)), "Push it first.");
  const Holding holding{.owner = owner.name, .is_private = is_private, .since = now_rfc3339()};
  nix::StorePathSet paths;
  for (int64_t number = generation->number; number > 0; --number) {
    // Retention may have removed some.
    if (!(generation = context.environments.find(owner.name, name, number))) continue;
    paths.merge(paths_of(generation->lock));
  }
  const auto closure = files_here(context, call.caller(), paths);
  context.accounts.holdings.put(Kind::environment, owner.name + "/" + name, holding, [&](Session& session) {
    Visibility::publish_files(session, call.caller(), holding, closure);
  });
  log::info("{}: environment {}/{} is {}", call.caller().name(), owner.name, name,
            is_private ? "private" : "public");
  return as_json({{"owner", owner.name}, {"environment", name}, {"private", is_private}});
}

}  // namespace

void add_owner_routes(Router& router, ApiContext& context) {
  router.add("GET", "/api/v1/owners", Scope::any_token, no_body(),
             [&](const Call& call) { return list_owners(context, call); });
  router.add("POST", "/api/v1/owners", Scope::operate, json_body(16 << 10),
             [&](const Call& call) { return create_owner(context, call); });
  router.add("GET", "/api/v1/owners/{owner}", Scope::any_token, no_body(),
             [&](const Call& call) { return show_owner(context, call); });
  router.add("POST", "/api/v1/owners/{owner}/members", Scope::admin, json_body(16 << 10),
             [&](const Call& call) { return put_member(context, call); });
  router.add("DELETE", "/api/v1/owners/{owner}/members/{user}", Scope::admin, no_body(),
             [&](const Call& call) { return remove_member(context, call); });
  router.add("POST", "/api/v1/owners/{owner}/packages/{name}", Scope::admin, json_body(16 << 10),
             [&](const Call& call) { return set_package(context, call); });
  router.add("POST", "/api/v1/owners/{owner}/environments/{name}", Scope::admin, json_body(16 << 10),
             [&](const Call& call) { return set_environment(context, call); });
}

}  // namespace flox::server
