// Rules of retention, and what they let go: of an owner, for its admins; of the catalog, for the operator.
#include <algorithm>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "server/api/answers.h"
#include "server/api/resources.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr const char* rule_name = "the body";
constexpr int64_t most_retained = 1'000'000;  // versions, generations, days
constexpr int most_plans = 20;                // while others publish

int64_t count_in(const json& body, const char* key) {
  const json& value = flox::member(body, key, rule_name);
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() > most_retained)
    fail(ErrorKind::invalid_input, "'{}' is not a number from 0 to {}", key, most_retained);
  return value.get<int64_t>();
}

json rule_json(const std::optional<RetentionRule>& rule) {
  if (!rule) return nullptr;
  return {{"versions", rule->versions}, {"generations", rule->generations}, {"days", rule->days}};
}

// "": the catalog itself.
void require_known(const ApiContext& context, const std::string& owner) {
  if (owner.empty() || context.accounts.owners.find(owner)) return;
  throw Error(ErrorKind::not_found, fmt::format("the catalog has no owner {}", owner.substr(0, 100)),
              "The catalog's operator makes owners: flox owner create OWNER.");
}

// The owner's, and the one that is in force for those that have none.
ServerResponse rules_for(ApiContext& context, const std::string& owner) {
  return as_json({{"rule", rule_json(context.accounts.retention.rule(owner))},
                  {"default", rule_json(context.accounts.retention.rule(""))}});
}

ServerResponse show_rule(ApiContext& context, const Call& call) {
  const std::string owner = call.parameter("owner");
  require_known(context, owner);
  return rules_for(context, owner);
}

ServerResponse set_rule(ApiContext& context, const Call& call) {
  const std::string owner = call.parameter("owner");
  const json body = call.json();
  const json& wanted = flox::member(body, "rule", rule_name);
  std::optional<RetentionRule> rule;
  if (!wanted.is_null())
    rule = {.versions = count_in(wanted, "versions"),
            .generations = count_in(wanted, "generations"),
            .days = count_in(wanted, "days")};
  require_known(context, owner);
  context.accounts.retention.set_rule(owner, rule);
  log::info("{}: the rule of retention of {} is {}", call.caller().name(),
            owner.empty() ? "the catalog" : owner, rule_json(rule).dump());
  return rules_for(context, owner);
}

json build_json(const ExpiredBuild& build) {
  return {{"package", build.name}, {"build", catalog::record_of(build).target_path()}, {"why", build.why}};
}

json plan_json(const RetentionPlan& plan) {
  json generations = json::array();
  for (const auto& one : plan.generations)
    generations.push_back(
        {{"environment", one.owner + "/" + one.name}, {"generation", one.number}, {"why", one.why}});
  json builds = json::array();
  for (const auto& build : plan.builds) builds.push_back(build_json(build));
  json to_sign = json::array();
  for (const auto& build : plan.signed_builds) {
    to_sign.push_back(build_json(build));
    to_sign.back()["owner"] = build.owner;
  }
  return {{"generations", std::move(generations)},
          {"builds", std::move(builds)},
          {"to_sign", std::move(to_sign)}};
}

ServerResponse apply(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("owner");
  require_known(context, name);
  const auto owner = name.empty() ? std::nullopt : std::optional(name);
  const json body = call.json();
  const json& dry = flox::member(body, "dry_run", rule_name);
  if (!dry.is_boolean()) fail(ErrorKind::invalid_input, "'dry_run' is neither true nor false");
  for (int attempt = 1;; ++attempt) {
    const RetentionPlan plan = context.accounts.retention.plan(owner);
    json answer = plan_json(plan);
    answer["dry_run"] = dry;
    if (dry.get<bool>()) return as_json(answer);
    if (context.accounts.retention.apply(plan)) {
      const size_t removed = plan.generations.size() + plan.builds.size();
      context.metrics.expired.Increment(static_cast<double>(removed));
      if (removed > 0)
        log::info("{}: rules of retention removed {} generations and {} builds", call.caller().name(),
                  plan.generations.size(), plan.builds.size());
      return as_json(answer);
    }
    if (attempt == most_plans)
      throw Error(ErrorKind::unavailable, "somebody publishes all the time", "Try again later.");
  }
}

void require_expired(const RetentionPlan& plan, const std::string& package,
                     const std::set<std::string>& builds) {
  std::set<std::string> expired;
  for (const auto& build : plan.signed_builds)
    if (build.name == package) expired.insert(catalog::record_of(build).target_path());
  for (const auto& build : builds)
    if (!expired.contains(build))
      throw Error(ErrorKind::conflict, fmt::format("{} {} has to stay", package, build.substr(0, 200)),
                  "Ask again what may go: the rule, or what environments need, has changed.");
}

// Builds that their owner has taken out of the package's name file, as far as its rule lets them go.
ServerResponse remove_builds(ApiContext& context, const Call& call) {
  const std::string owner = call.parameter("owner");
  const std::string package = call.parameter("name");
  const json body = call.json();
  const json& list = flox::member(body, "builds", rule_name);
  if (!list.is_array()) fail(ErrorKind::invalid_input, "'builds' is not a list");
  std::set<std::string> builds;
  for (const json& one : list) {
    if (!one.is_string()) fail(ErrorKind::invalid_input, "'builds' holds something that is not a string");
    builds.insert(one.get<std::string>());
  }
  const std::string name_file = string_member(body, "name_file", rule_name);
  for (int attempt = 1;; ++attempt) try {
      const RetentionPlan plan = context.accounts.retention.plan(owner);
      require_expired(plan, package, builds);
      counting_refusals(context, [&] {
        context.records.remove(package, builds, context.trust.check_removal(owner, package, name_file),
                               plan.publications);
      });
      break;
    } catch (const LookAgain&) {
      if (attempt == most_plans)
        throw Error(ErrorKind::unavailable, "somebody publishes all the time", "Try again later.");
    }
  context.trust.published(owner);
  context.metrics.expired.Increment(static_cast<double>(builds.size()));
  log::info("{}: rules of retention removed {} builds of {}", call.caller().name(), builds.size(), package);
  return as_json({{"package", package}, {"builds", list}});
}

}  // namespace

void add_retention_routes(Router& router, ApiContext& context) {
  for (const auto& [path, scope] :
       {std::pair<std::string, Scope>{"/api/v1/owners/{owner}/retention", Scope::admin},
        {"/api/v1/catalog/retention", Scope::operate}}) {
    router.add("GET", path, scope, no_body(), [&](const Call& call) { return show_rule(context, call); });
    router.add("POST", path, scope, json_body(4 << 10),
               [&](const Call& call) { return set_rule(context, call); });
    router.add("POST", path + "/apply", scope, json_body(4 << 10),
               [&](const Call& call) { return apply(context, call); });
  }
  router.add("POST", "/api/v1/owners/{owner}/packages/{name}/removals", Scope::admin, json_body(),
             [&](const Call& call) { return remove_builds(context, call); });
}

}  // namespace flox::server
