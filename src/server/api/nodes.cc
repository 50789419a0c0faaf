// Which nodes run which environments: what nodes report, and what of it callers may see.
//
// Who sees what: a node's name only who may read what is private to the owner whose token it reports with;
// how many other nodes run an environment, who may read what is private to the environment's owner; others
// nothing. A report tells the node nothing: what its token may not see counts as what is not there.
#include "server/api/nodes.h"

#include <algorithm>
#include <charconv>

#include "base/data/json.h"
#include "base/error.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "catalog/node_report.h"
#include "server/api/answers.h"
#include "server/api/page.h"
#include "server/api/resources.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr const char* report_text = "the report";
constexpr size_t longest_report = 64 << 10;        // bytes; some 500 bytes for each environment
constexpr int64_t shortest = 60, longest = 3'600;  // seconds that a report counts

void check_node_name(std::string_view name) {
  if (catalog::is_node_name(name)) return;
  throw Error(ErrorKind::invalid_input, fmt::format("'{}' is not the name of a node", printable(name, 60)),
              "Use at most 253 letters, digits, '-', '.' and '_', the first a letter or a digit.");
}

int64_t number_in(const json& object, const char* key, int64_t least, int64_t most) {
  const json& value = member(object, key, report_text);
  if (!value.is_number_integer() || value < least || value > most)
    fail(ErrorKind::invalid_input, "{}: '{}' is not a number from {} to {}", report_text, key, least, most);
  return value.get<int64_t>();
}

void check_members(const json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: an object is missing", report_text);
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end())
      fail(ErrorKind::invalid_input, "{} has an unknown member '{}'", report_text, printable(key, 60));
}

std::vector<ReportedEnvironment> environments_in(const json& body) {
  const json& listed = member(body, "environments", report_text);
  if (!listed.is_array() || listed.size() > catalog::most_reported_environments)
    fail(ErrorKind::invalid_input, "{}: 'environments' is not a list of at most {}", report_text,
         catalog::most_reported_environments);
  std::vector<ReportedEnvironment> environments;
  for (const json& one : listed) {
    check_members(one, {"owner", "name", "generation", "containers"});
    ReportedEnvironment environment{
        .owner = string_member(one, "owner", report_text),
        .name = string_member(one, "name", report_text),
        .generation = number_in(one, "generation", 1, INT64_MAX),
        .containers = number_in(one, "containers", 1, catalog::most_reported_containers)};
    catalog::check_environment_name(environment.owner, environment.name);
    environments.push_back(std::move(environment));
  }
  std::ranges::sort(environments);
  const auto twice = std::ranges::adjacent_find(environments, [](const auto& a, const auto& b) {
    return a.owner == b.owner && a.name == b.name && a.generation == b.generation;
  });
  if (twice != environments.end())
    fail(ErrorKind::invalid_input, "{} has {}/{}:{} twice", report_text, twice->owner, twice->name,
         twice->generation);
  return environments;
}

bool may_see(const ApiContext& context, const Caller& caller, const std::string& owner,
             const std::string& name) {
  return context.accounts.visibility.may_see(caller, Kind::environment, owner + "/" + name);
}

bool is_there(const ApiContext& context, const ReportedEnvironment& one) {
  const auto found = context.environments.generations(one.owner, one.name, 1, one.generation);
  return !found.empty() && found[0].number == one.generation;
}

// Whose node it is: a token of an owner stands for its nodes, a person's or the operator's does not.
const std::string& reporter_of(const Caller& caller) {
  if (caller.is_operator || !caller.user.empty() || caller.roles.size() != 1)
    throw Refusal("scope", "this token is no node's: nodes report with a token of their owner",
                  "Make one: flox auth token create --owner OWNER --scope read.");
  return caller.roles.begin()->first;
}

ServerResponse take_report(ApiContext& context, const Call& call) {
  const Caller& caller = call.caller();
  const json body = call.json();
  NodeReport report{.reporter = reporter_of(caller),
                    .node = call.parameter("node"),
                    .token = caller.token,
                    .heard_at = unix_time()};
  check_node_name(report.node);
  check_members(body, {"valid_seconds", "environments"});
  report.expires_at = report.heard_at + number_in(body, "valid_seconds", shortest, longest);
  report.environments = environments_in(body);
  std::erase_if(report.environments, [&](const ReportedEnvironment& one) {
    return !may_see(context, caller, one.owner, one.name) || !is_there(context, one);
  });
  // What is said again and again would push everything else out of the audit log.
  if (context.accounts.nodes.put(report)) {
    context.accounts.audit.write(call.request(),
                                 {.who = caller.name(),
                                  .token = caller.token,
                                  .action = "POST " + call.route().path,
                                  .status = 200,
                                  .reason = {},
                                  .detail = fmt::format("what node {} runs has changed", report.node)});
  }
  return as_json(
      {{"owner", report.reporter}, {"node", report.node}, {"expires_at", recorded_time(report.expires_at)}});
}

// After which element a page begins.
std::optional<SeenOnNode> node_after(const CursorKey& after) {
  if (after.empty()) return std::nullopt;
  SeenOnNode place{.reporter = after[0], .node = after[1]};
  const char* const end = after[2].data() + after[2].size();
  if (std::from_chars(after[2].data(), end, place.generation).ptr != end)
    fail(ErrorKind::invalid_input, "'cursor' is not one of this list");
  return place;
}

ServerResponse list_nodes(const ApiContext& context, const Call& call) {
  const std::string owner = call.parameter("owner"), name = call.parameter("name");
  catalog::check_environment_name(owner, name);
  if (!may_see(context, call.caller(), owner, name) || context.environments.count(owner, name) == 0)
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no environment {}/{}", owner, name),
                fmt::format("Correct the name, or publish it with 'flox push --owner {}'.", owner));
  const PageRequest page(call, 3);
  const VisibleNodes visible(context, call.caller(), owner, name);
  auto nodes = visible.some(page.size() + 1, node_after(page.after()));
  const bool has_more = nodes.size() > page.size();
  if (has_more) nodes.pop_back();
  json items = json::array();
  for (const SeenOnNode& one : nodes)
    items.push_back({{"owner", one.reporter},
                     {"node", one.node},
                     {"generation", one.generation},
                     {"containers", one.containers},
                     {"heard_at", recorded_time(one.heard_at)},
                     {"expires_at", recorded_time(one.expires_at)}});
  json document = {{"items", std::move(items)}};
  if (const auto others = visible.others()) document["other_nodes"] = *others;
  CursorKey last;
  if (!nodes.empty())
    last = {nodes.back().reporter, nodes.back().node, std::to_string(nodes.back().generation)};
  return page.answer(std::move(document), has_more, last);
}

}  // namespace

VisibleNodes::VisibleNodes(const ApiContext& context, const Caller& caller, const std::string& owner,
                           const std::string& name)
    : nodes_(context.accounts.nodes),
      sees_number_(caller.may(Role::read, owner)),
      query_{.owner = owner, .name = name, .now = unix_time()} {
  if (!caller.is_operator) query_.reporters = caller.owners(Role::read);
}

std::vector<SeenOnNode> VisibleNodes::some(size_t most, const std::optional<SeenOnNode>& after) const {
  return nodes_.find(query_, most, after);
}

std::optional<int64_t> VisibleNodes::others() const {
  if (!sees_number_) return std::nullopt;
  NodeReports::Query everybodys = query_;
  everybodys.reporters.reset();
  return nodes_.count(everybodys) - nodes_.count(query_);
}

void add_node_routes(Router& router, ApiContext& context) {
  router.add(
      "POST", "/api/v1/nodes/{node}", Scope::any_token, json_body(longest_report),
      [&](const Call& call) { return take_report(context, call); }, Audited::by_function);
  router.add("GET", "/api/v1/environments/{owner}/{name}/nodes", Scope::any_token, no_body(),
             [&](const Call& call) { return list_nodes(context, call); });
}

}  // namespace flox::server
