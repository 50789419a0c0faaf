#include "server/records/environments.h"

#include "base/error.h"

namespace flox::server {
namespace {

std::optional<Generation> find_in(Session& session, const std::string& owner, const std::string& name,
                                  std::optional<int64_t> number) {
  const auto found =
      number
          ? session.row<int64_t, std::string, std::string, std::string>(
                "select number, manifest, lock, pushed_at from environments where owner = $1 and name = $2 "
                "and number = $3",
                {owner, name, *number})
          : session.row<int64_t, std::string, std::string, std::string>(
                "select number, manifest, lock, pushed_at from environments where owner = $1 and name = $2 "
                "order by number desc limit 1",
                {owner, name});
  if (!found) return std::nullopt;
  return Generation{.number = std::get<0>(*found),
                    .manifest = std::get<1>(*found),
                    .lock = env::Lockfile::parse(std::get<2>(*found)),
                    .pushed_at = std::get<3>(*found)};
}

}  // namespace

Generation EnvironmentRecords::push(const std::string& owner, const std::string& name,
                                    Generation generation) {
  const std::string lock = generation.lock.to_string();
  return database_.write([&](Session& session) {
    const auto latest = find_in(session, owner, name, std::nullopt);
    if (latest && latest->manifest == generation.manifest && latest->lock.to_string() == lock) return *latest;
    generation.number = latest ? latest->number + 1 : 1;
    session.run(
        "insert into environments (owner, name, number, manifest, lock, pushed_at) "
        "values ($1, $2, $3, $4, $5, $6)",
        {owner, name, generation.number, generation.manifest, lock, generation.pushed_at});
    return generation;
  });
}

std::optional<Generation> EnvironmentRecords::find(const std::string& owner, const std::string& name,
                                                   std::optional<int64_t> number) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return find_in(session, owner, name, number); });
}

}  // namespace flox::server
