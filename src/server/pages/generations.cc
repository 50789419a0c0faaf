#include "server/pages/generations.h"

#include <charconv>

#include "base/error.h"
#include "base/printable.h"
#include "catalog/environment_name.h"

namespace flox::server {

EnvironmentAddress environment_of(const PagesContext& pages, const Call& call) {
  EnvironmentAddress environment{.owner = call.parameter("owner"), .name = call.parameter("name")};
  catalog::check_environment_name(environment.owner, environment.name);
  if (pages.api.accounts.visibility.may_see(call.caller(), Kind::environment, environment.text()) &&
      !pages.api.environments.generations(environment.owner, environment.name, 1).empty())
    return environment;
  throw Error(ErrorKind::not_found,
              fmt::format("The catalog has no environment {} that everyone may see.", environment.text()),
              "Look for it among the environments.");
}

Generation generation_of(const PagesContext& pages, const EnvironmentAddress& environment,
                         const std::string& number) {
  int64_t wanted = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), wanted);
  if (number.empty() || (error == std::errc() && end == number.data() + number.size())) {
    auto found = pages.api.environments.find(environment.owner, environment.name,
                                             number.empty() ? std::nullopt : std::optional(wanted));
    if (found) return std::move(*found);
    if (!number.empty()) throw pages.api.environments.missing(environment.owner, environment.name, wanted);
  }
  throw Error(ErrorKind::not_found,
              fmt::format("{} has no generation {}", environment.text(), printable(number, 40)),
              "Choose one of its generations.");
}

std::optional<int64_t> generation_before(const PagesContext& pages, const EnvironmentAddress& environment,
                                         int64_t number) {
  const auto older = pages.api.environments.generations(environment.owner, environment.name, 1, number - 1);
  return older.empty() ? std::nullopt : std::optional(older.front().number);
}

}  // namespace flox::server
