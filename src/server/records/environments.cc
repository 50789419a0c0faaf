#include "server/records/environments.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "server/records/mirrored_owners.h"

namespace flox::server {
namespace {

constexpr size_t most_named = 20;  // generations, in an error

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
                                    const Generation& pushed, const std::optional<StoredNameFile>& signed_by,
                                    const UponGeneration& upon, const std::function<void(Session&)>& with_it,
                                    const LookedFor& looked) {
  const std::string lock = pushed.lock.to_string();
  return database_.write([&](Session& session) {
    require_publishes_here(session, owner);
    with_it(session);
    RemovalMarks::require_none(session, looked);
    const auto latest = find_in(session, owner, name, std::nullopt);
    if (latest && latest->manifest == pushed.manifest && latest->lock.to_string() == lock) {
      if (!signed_by) return *latest;
      // Another signature makes another generation.
      const auto known = find_name_file(session, owner, signed_by->name, latest->number);
      if (known && known->document == signed_by->document) return *latest;
    }
    upon(latest);
    Generation generation = pushed;
    generation.number = latest ? latest->number + 1 : 1;
    if (signed_by && signed_by->version != generation.number)
      throw Error(ErrorKind::conflict,
                  fmt::format("{}/{}: the next generation is {}, and the name file is of {}: somebody else "
                              "has pushed meanwhile",
                              owner, name, generation.number, signed_by->version),
                  "Read the latest generation again, and sign the next one.");
    session.run(
        "insert into environments (owner, name, number, manifest, lock, pushed_at) "
        "values ($1, $2, $3, $4, $5, $6)",
        {owner, name, generation.number, generation.manifest, lock, generation.pushed_at});
    if (signed_by) add_name_file(session, *signed_by, OlderNameFiles::keep);
    return generation;
  });
}

std::optional<Generation> EnvironmentRecords::find(const std::string& owner, const std::string& name,
                                                   std::optional<int64_t> number) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return find_in(session, owner, name, number); });
}

Error EnvironmentRecords::missing(const std::string& owner, const std::string& name, int64_t number) const {
  std::vector<GenerationSummary> present = generations(owner, name, most_named + 1);
  const bool has_more = present.size() > most_named;
  if (has_more) present.pop_back();
  std::vector<int64_t> numbers;
  for (const auto& one : present) numbers.push_back(one.number);
  const bool was_there = number > 0 && !numbers.empty() && number < numbers.front();
  const bool is_mirrored = database_.transact(
      Access::statement, [&](Session& session) { return mirrored_owners(session).contains(owner); });
  const std::string what = fmt::format("generation {} of environment {}/{}", number, owner, name);
  return {
      ErrorKind::not_found,
      !was_there    ? fmt::format("environment {}/{} has no generation {}", owner, name, number)
      : is_mirrored ? what + " is not in this mirror: it was removed, or never mirrored"
                    : what + " was removed by a rule of retention",
      fmt::format("Use one that it has: {}{}.", fmt::join(numbers, ", "), has_more ? " and older ones" : "")};
}

int64_t EnvironmentRecords::count(const std::string& owner, const std::string& name) const {
  return std::get<0>(*database_.row<int64_t>(
      "select count(*) from environments where owner = $1 and name = $2", {owner, name}));
}

std::vector<EnvironmentSummary> EnvironmentRecords::list(const std::string& owner) const {
  std::vector<EnvironmentSummary> result;
  for (auto& [of, name, latest, count] : database_.rows<std::string, std::string, int64_t, int64_t>(
           "select owner, name, max(number), count(*) from environments where $1 = '' or owner = $1 "
           "group by owner, name order by owner, name",
           {owner}))
    result.push_back(
        {.owner = std::move(of), .name = std::move(name), .latest = latest, .generations = count});
  return result;
}

std::vector<GenerationSummary> EnvironmentRecords::generations(const std::string& owner,
                                                               const std::string& name, size_t most,
                                                               int64_t newest) const {
  std::vector<GenerationSummary> result;
  for (auto& [number, pushed_at] : database_.rows<int64_t, std::string>(
           "select number, pushed_at from environments where owner = $1 and name = $2 and number <= $3 "
           "order by number desc limit $4",
           {owner, name, newest, static_cast<int64_t>(most)}))
    result.push_back({.number = number, .pushed_at = std::move(pushed_at)});
  return result;
}

}  // namespace flox::server
