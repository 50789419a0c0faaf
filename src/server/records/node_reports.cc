#include "server/records/node_reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace flox::server {
namespace {

// What counts at the time $3 of the environment $1/$2.
constexpr std::string_view counting = R"(
    from node_environments e
    join node_reports r on r.reporter = e.reporter and r.node = e.node
    join tokens t on t.id = r.token
    where e.owner = $1 and e.name = $2 and r.expires_at > $3
      and t.revoked_at = 0 and (t.expires_at = 0 or t.expires_at > $3))";

// One statement for each reporter, or one for all: callers are members of few owners.
std::vector<std::optional<std::string>> each_reporter(const NodeReports::Query& query) {
  if (!query.reporters) return {std::nullopt};
  return {query.reporters->begin(), query.reporters->end()};
}

std::vector<ReportedEnvironment> said_before(Session& session, const NodeReport& report) {
  std::vector<ReportedEnvironment> said;
  session.each(
      "select owner, name, generation, containers from node_environments where reporter = $1 and node = $2",
      {report.reporter, report.node}, [&](const Row& row) {
        said.push_back({.owner = row.get<std::string>(0),
                        .name = row.get<std::string>(1),
                        .generation = row.number(2),
                        .containers = row.number(3)});
      });
  std::ranges::sort(said);
  return said;
}

// Whether the node's report is there; throws while it is another token's and counts.
bool is_held(Session& session, const NodeReport& report) {
  const auto held = session.row<std::string>(
      "select token from node_reports where reporter = $1 and node = $2", {report.reporter, report.node});
  if (!held || std::get<0>(*held) == report.token) return held.has_value();
  const auto counts = session.row<std::string>(
      "select t.id from node_reports r join tokens t on t.id = r.token where r.reporter = $1 and r.node = $2 "
      "and r.expires_at > $3 and t.revoked_at = 0 and (t.expires_at = 0 or t.expires_at > $3)",
      {report.reporter, report.node, report.heard_at});
  if (counts)
    throw Error(ErrorKind::conflict,
                fmt::format("node {} reports with another token, {}", report.node, std::get<0>(*counts)),
                "Give each node a name of its own (report_name); or revoke the other token, or wait until "
                "its last report has expired.");
  return true;
}

void forget_expired(Session& session, const std::string& reporter, int64_t now) {
  session.run(
      "delete from node_environments where reporter = $1 and node in "
      "(select node from node_reports where reporter = $1 and expires_at <= $2)",
      {reporter, now});
  session.run("delete from node_reports where reporter = $1 and expires_at <= $2", {reporter, now});
}

void check_limits(Session& session, const NodeReport& report, const NodeReportLimits& limits) {
  const auto others = [&](std::string_view sql) {
    return std::get<0>(session.row<int64_t>(sql, {report.reporter, report.node}).value_or(0));
  };
  if (others("select count(*) from node_reports where reporter = $1 and node <> $2") >= limits.nodes)
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} has reports of {} nodes, the most that there may be", report.reporter, limits.nodes),
        "Wait until those of nodes that are gone have expired, or revoke the token that made them.");
  const auto reported = others("select count(*) from node_environments where reporter = $1 and node <> $2");
  if (reported + static_cast<int64_t>(report.environments.size()) > limits.environments)
    throw Error(
        ErrorKind::conflict,
        fmt::format("the nodes of {} report more than {} environments", report.reporter, limits.environments),
        "Set report_environments on fewer nodes.");
}

}  // namespace

bool NodeReports::put(const NodeReport& report) {
  std::vector<ReportedEnvironment> said = report.environments;
  std::ranges::sort(said);
  return database_.write([&](Session& session) {
    const Values when{report.reporter, report.node, report.token, report.heard_at, report.expires_at};
    if (is_held(session, report) && said_before(session, report) == said) {
      session.run(
          "update node_reports set token = $3, heard_at = $4, expires_at = $5 where reporter = $1 and node = "
          "$2",
          when);
      return false;
    }
    forget_expired(session, report.reporter, report.heard_at);
    check_limits(session, report, limits_);
    session.run(
        "insert into node_reports (reporter, node, token, heard_at, expires_at) values ($1, $2, $3, $4, $5) "
        "on conflict (reporter, node) do update set token = excluded.token, heard_at = excluded.heard_at, "
        "expires_at = excluded.expires_at",
        when);
    session.run("delete from node_environments where reporter = $1 and node = $2",
                {report.reporter, report.node});
    for (const auto& [owner, name, generation, containers] : said)
      session.run(
          "insert into node_environments (reporter, node, owner, name, generation, containers) values ($1, "
          "$2, $3, $4, $5, $6)",
          {report.reporter, report.node, owner, name, generation, containers});
    return true;
  });
}

std::vector<SeenOnNode> NodeReports::find(const Query& query, size_t most,
                                          const std::optional<SeenOnNode>& after) const {
  const SeenOnNode from = after.value_or(SeenOnNode());
  const auto limit = static_cast<int64_t>(most);
  return database_.read([&](Session& session) {
    std::vector<SeenOnNode> found;
    for (const auto& reporter : each_reporter(query)) {
      if (found.size() >= most) break;
      Values values{query.owner, query.name, query.now, from.reporter, from.node, from.generation, limit};
      if (reporter) values.emplace_back(*reporter);
      session.each(fmt::format("select e.reporter, e.node, e.generation, e.containers, r.heard_at, "
                               "r.expires_at {} and (e.reporter, e.node, e.generation) > ($4, $5, $6) {} "
                               "order by e.reporter, e.node, e.generation limit $7",
                               counting, reporter ? "and e.reporter = $8" : ""),
                   values, [&](const Row& row) {
                     if (found.size() < most)
                       found.push_back({.reporter = row.get<std::string>(0),
                                        .node = row.get<std::string>(1),
                                        .generation = row.number(2),
                                        .containers = row.number(3),
                                        .heard_at = row.number(4),
                                        .expires_at = row.number(5)});
                   });
    }
    return found;
  });
}

int64_t NodeReports::count(const Query& query) const {
  return database_.read([&](Session& session) {
    int64_t nodes = 0;
    for (const auto& reporter : each_reporter(query)) {
      Values values{query.owner, query.name, query.now};
      if (reporter) values.emplace_back(*reporter);
      const auto counted = session.row<int64_t>(
          fmt::format("select count(*) from (select distinct e.reporter, e.node {} {}) as nodes", counting,
                      reporter ? "and e.reporter = $4" : ""),
          values);
      nodes += std::get<0>(counted.value_or(0));
    }
    return nodes;
  });
}

}  // namespace flox::server
