#include "server/records/holdings.h"

#include "server/records/mirrored_owners.h"

namespace flox::server {
namespace {

std::optional<Holding> holding_in(Session& session, Kind kind, const std::string& name) {
  const auto found = session.row<std::string, int64_t, std::string>(
      "select owner, is_private, since from holdings where kind = $1 and name = $2", {text_of(kind), name});
  if (!found) return std::nullopt;
  return Holding{
      .owner = std::get<0>(*found), .is_private = std::get<1>(*found) != 0, .since = std::get<2>(*found)};
}

}  // namespace

std::optional<Holding> Holdings::find(Kind kind, const std::string& name) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return holding_in(session, kind, name); });
}

Holding Holdings::claim(Session& session, Kind kind, const std::string& name, const Holding& holding) {
  if (auto known = holding_in(session, kind, name)) return *std::move(known);
  require_publishes_here(session, holding.owner);
  session.run("insert into holdings (kind, name, owner, is_private, since) values ($1, $2, $3, $4, $5)",
              {text_of(kind), name, holding.owner, int64_t{holding.is_private}, holding.since});
  return holding;
}

void Holdings::put(Kind kind, const std::string& name, const Holding& holding,
                   const std::function<void(Session&)>& with_it) {
  database_.write([&](Session& session) {
    with_it(session);
    session.run(
        "insert into holdings (kind, name, owner, is_private, since) values ($1, $2, $3, $4, $5) "
        "on conflict (kind, name) do update set owner = excluded.owner, is_private = excluded.is_private",
        {text_of(kind), name, holding.owner, int64_t{holding.is_private}, holding.since});
  });
}

bool Holdings::give(Session& session, Kind kind, const std::string& name, const std::string& from,
                    const std::string& to) {
  return session.run("update holdings set owner = $1 where kind = $2 and name = $3 and owner = $4",
                     {to, text_of(kind), name, from}) == 1;
}

bool Holdings::has_public(const std::string& owner) const {
  return database_.row<int64_t>("select 1 from holdings where owner = $1 and is_private = 0 limit 1", {owner})
      .has_value();
}

std::vector<std::string> Holdings::owned(Kind kind, const std::string& owner) const {
  std::vector<std::string> result;
  for (auto& [name] : database_.rows<std::string>(
           "select name from holdings where kind = $1 and owner = $2 order by name", {text_of(kind), owner}))
    result.push_back(std::move(name));
  return result;
}

std::set<std::string> Holdings::hidden(Kind kind, const std::set<std::string>& readable) const {
  std::set<std::string> result;
  for (auto& [name, owner] : database_.rows<std::string, std::string>(
           "select name, owner from holdings where kind = $1 and is_private = 1", {text_of(kind)}))
    if (!readable.contains(owner)) result.insert(std::move(name));
  return result;
}

}  // namespace flox::server
