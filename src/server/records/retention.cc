#include "server/records/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/data/json.h"
#include "base/rfc3339.h"
#include "catalog/choice.h"
#include "server/records/build_rows.h"
#include "server/records/mirrored_owners.h"
#include "server/records/needed_paths.h"
#include "server/records/package_index.h"
#include "server/records/removal_marks.h"
#include "trust/names.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;

constexpr int64_t seconds_of_day = 24 * 60 * 60;

using Digests = std::set<std::string>;
using Rules = std::map<std::string, RetentionRule>;

Rules rules_in(Session& session) {
  Rules rules;
  for (const auto& [owner, versions, generations, days] :
       session.rows<std::string, int64_t, int64_t, int64_t>(
           "select owner, versions, generations, days from retention_rules"))
    rules[owner] = {.versions = versions, .generations = generations, .days = days};
  return rules;
}

const RetentionRule& rule_of(const Rules& rules, const std::string& owner) {
  static const RetentionRule keeps_all;
  for (const std::string& name : {owner, std::string()})
    if (const auto found = rules.find(name); found != rules.end()) return found->second;
  return keeps_all;
}

std::string older_than_newest(int64_t count, const RetentionRule& rule) {
  return fmt::format("older than the newest {}{}", count,
                     rule.days > 0 ? fmt::format(" and than {} days", rule.days) : "");
}

// Makes a plan from what is recorded.
class Planner {
 public:
  Planner(Database& database, const std::optional<std::string>& owner, int64_t now)
      : database_(database), owner_(owner), now_(now) {}

  RetentionPlan plan() {
    RetentionPlan plan;
    plan.publications = RemovalMarks(database_).publications();
    database_.read([&](Session& session) {
      rules_ = rules_in(session);
      mirrored_ = mirrored_owners(session);
    });
    for (auto& [name, owner] :
         database_.rows<std::string, std::string>("select name, owner from holdings where kind = 'package'"))
      owners_[name] = std::move(owner);
    look_at_generations(plan);
    look_at_builds(plan);
    return plan;
  }

 private:
  bool is_wanted(const std::string& owner) const { return !owner_ || *owner_ == owner; }
  // Times of records are texts that sort as they are. Of 0 days nothing is young, not what came this second.
  bool is_old(const std::string& time, const RetentionRule& rule) const {
    return time <= rfc3339(now_ - rule.days * seconds_of_day);
  }

  // Which go; what the others need is kept in mind.
  void look_at_generations(RetentionPlan& plan) {
    std::string owner, name;
    int64_t newer = 0;  // generations of the environment that were looked at
    for (const auto& [its_owner, its_name, number, pushed_at] :
         database_.rows<std::string, std::string, int64_t, std::string>(
             "select owner, name, number, pushed_at from environments order by owner, name, number desc")) {
      if (its_owner != owner || its_name != name) newer = 0;
      owner = its_owner;
      name = its_name;
      const RetentionRule& rule = rule_of(rules_, owner);
      const bool stays =
          !is_wanted(owner) || rule.generations == 0 || newer < rule.generations || !is_old(pushed_at, rule);
      ++newer;
      if (!stays) {
        plan.generations.push_back({.owner = owner,
                                    .name = name,
                                    .number = number,
                                    .why = older_than_newest(rule.generations, rule)});
        continue;
      }
      const auto texts = database_.row<std::string, std::string>(
          "select manifest, lock from environments where owner = $1 and name = $2 and number = $3",
          {owner, name, number});
      if (!texts) continue;
      needed_.merge(paths_needed_by({std::get<0>(*texts), std::get<1>(*texts)}));
    }
  }

  void look_at_builds(RetentionPlan& plan) {
    std::vector<PackageBuild> package;  // builds of one
    for_each_page_of_builds(database_, [&](const std::vector<BuildRow>& rows) {
      for (const BuildRow& row : rows) {
        if (!package.empty() && package.front().name != row.name) look_at_package(plan, package);
        package.push_back(PackageBuild::from_json(parse_json(row.record, "a record of the catalog")));
      }
    });
    if (!package.empty()) look_at_package(plan, package);
  }

  bool is_needed(const PackageBuild& build) const {
    return std::ranges::any_of(build.outputs, [&](const auto& output) {
      return needed_.contains(std::string(output.second.digest()));
    });
  }

  void look_at_package(RetentionPlan& plan, std::vector<PackageBuild>& builds) {
    const auto holder = owners_.find(builds.front().name);
    const std::string owner = holder == owners_.end() ? std::string() : holder->second;
    const RetentionRule& rule = rule_of(rules_, owner);
    if (is_wanted(owner) && rule.versions > 0 && !mirrored_.contains(owner)) {
      const bool is_signed =
          std::ranges::any_of(builds, [](const auto& build) { return !build.owner.empty(); });
      std::ranges::sort(builds, catalog::goes_before);
      std::set<std::string> newest;
      std::set<std::string> kept;  // versions, whole: all their builds stay
      for (const auto& build : builds) {
        // Those that the owner has given up are found no more, and count for nothing.
        const bool is_found = !is_signed || !build.owner.empty();
        const bool counts = is_found && !build.yanked;
        if (counts && static_cast<int64_t>(newest.size()) < rule.versions) newest.insert(build.version);
        if ((counts && newest.contains(build.version)) || is_needed(build) ||
            !is_old(build.published_at, rule))
          kept.insert(build.version);
      }
      // Of a package that is all yanked something is left, too.
      if (newest.empty()) {
        const auto first = std::ranges::find_if(
            builds, [&](const auto& build) { return !is_signed || !build.owner.empty(); });
        kept.insert(first->version);
      }
      for (auto& build : builds)
        if (!kept.contains(build.version)) {
          const bool is_given_up = is_signed && build.owner.empty();
          std::string why = is_given_up    ? "its owner has taken it back"
                            : build.yanked ? "yanked"
                                           : older_than_newest(rule.versions, rule);
          (build.owner.empty() ? plan.builds : plan.signed_builds)
              .push_back({std::move(build), std::move(why)});
        }
    }
    builds.clear();
  }

  Database& database_;
  const std::optional<std::string>& owner_;
  int64_t now_;
  Rules rules_;
  std::map<std::string, std::string> owners_;  // of packages
  std::set<std::string> mirrored_;             // whose builds are another catalog's to remove
  Digests needed_;
};

}  // namespace

std::optional<RetentionRule> Retention::rule(const std::string& owner) const {
  return database_.transact(Access::statement, [&](Session& session) -> std::optional<RetentionRule> {
    const Rules rules = rules_in(session);
    const auto found = rules.find(owner);
    return found == rules.end() ? std::nullopt : std::optional(found->second);
  });
}

void Retention::set_rule(const std::string& owner, const std::optional<RetentionRule>& rule) {
  database_.write([&](Session& session) {
    session.run("delete from retention_rules where owner = $1", {owner});
    if (rule)
      session.run("insert into retention_rules (owner, versions, generations, days) values ($1, $2, $3, $4)",
                  {owner, rule->versions, rule->generations, rule->days});
    RemovalMarks::count_publication(session);
  });
}

RetentionPlan Retention::plan(const std::optional<std::string>& owner,
                              std::chrono::system_clock::time_point now) const {
  return Planner(database_, owner, std::chrono::system_clock::to_time_t(now)).plan();
}

bool Retention::apply(const RetentionPlan& plan) {
  return database_.write([&](Session& session) {
    if (!RemovalMarks::is_of(session, plan.publications)) return false;
    for (const auto& generation : plan.generations) {
      session.run("delete from environments where owner = $1 and name = $2 and number = $3",
                  {generation.owner, generation.name, generation.number});
      session.run("delete from name_files where owner = $1 and name = $2 and version = $3",
                  {generation.owner, trust::environment_name(generation.name), generation.number});
    }
    std::set<std::string> packages;
    for (const auto& build : plan.builds) {
      remove_unsigned_build(session, build);
      packages.insert(build.name);
    }
    for (const std::string& package : packages) index_package(session, package);
    RemovalMarks::count_publication(session);
    return true;
  });
}

}  // namespace flox::server
