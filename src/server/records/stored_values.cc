#include "server/records/stored_values.h"

namespace flox::server {

std::optional<std::string> stored_value(Session& session, std::string_view name) {
  const auto found = session.row<std::string>("select value from settings where name = $1", {name});
  return found ? std::optional(std::get<0>(*found)) : std::nullopt;
}

void store_value(Session& session, std::string_view name, std::string_view value) {
  session.run(
      "insert into settings (name, value) values ($1, $2) on conflict (name) do update set "
      "value = excluded.value",
      {name, value});
}

int64_t counter(Session& session, std::string_view name) {
  const auto found =
      session.row<int64_t>("select cast(value as bigint) from settings where name = $1", {name});
  return found ? std::get<0>(*found) : 0;
}

void count(Session& session, std::string_view name) {
  session.run(
      "insert into settings (name, value) values ($1, '1') on conflict (name) do update set "
      "value = cast(cast(settings.value as bigint) + 1 as text)",
      {name});
}

}  // namespace flox::server
