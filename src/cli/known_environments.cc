#include "cli/known_environments.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/data/sha256.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/private_directory.h"
#include "cli/local_or_pod.h"
#include "nix/base32.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_environments = 10'000;

std::string entry_name(const fs::path& directory) {
  return nix::to_base32(bytes_of(sha256(directory.native())));
}

void write_down(const Directory& known, const env::Environment& environment) {
  const std::string name = entry_name(environment.directory());
  if (known.exists(name)) return;
  known.make_link(name, environment.directory().native());
  for (const std::string& other : known.names(most_environments)) {
    const fs::path directory = known.read_link(other);
    std::error_code error;
    if (!fs::exists(directory / ".flox", error) && !error) known.remove(other);
  }
}

}  // namespace

std::optional<env::Environment> environment_at(const fs::path& directory) {
  try {
    return env::Environment::open(directory);
  } catch (const std::exception&) {  // gone, damaged, or not to be read
    return std::nullopt;
  }
}

std::optional<fs::path> known_environments_directory() {
  const auto state = user_directory("XDG_STATE_HOME", ".local/state");
  return state ? std::optional(*state / "environments") : std::nullopt;
}

void remember_environment(const env::Environment& environment) {
  if (in_pod()) return;
  try {
    const auto directory = known_environments_directory();
    if (!directory || !private_directory(*directory)) return;
    write_down(Directory(*directory), environment);
  } catch (const std::exception& error) {
    log::debug("the environment in {} is not written down for flox envs: {}",
               environment.directory().string(), message_of(error));
  }
}

void forget_environment(const env::Environment& environment) {
  try {
    const auto directory = known_environments_directory();
    if (directory && fs::is_directory(*directory))
      Directory(*directory).remove(entry_name(environment.directory()));
  } catch (const std::exception& error) {
    log::debug("the environment in {} is still written down: {}", environment.directory().string(),
               message_of(error));
  }
}

std::vector<env::Environment> known_environments() {
  std::vector<env::Environment> result;
  const auto directory = known_environments_directory();
  std::error_code error;
  if (!directory || !fs::is_directory(*directory, error)) return result;
  const Directory known(*directory);
  for (const std::string& name : known.names(most_environments)) {
    const auto status = known.status(name);
    if (!status || !S_ISLNK(status->st_mode)) continue;
    if (auto environment = environment_at(known.read_link(name))) result.push_back(std::move(*environment));
  }
  std::ranges::sort(result, {}, &env::Environment::directory);
  const auto again = std::ranges::unique(result, {}, &env::Environment::directory);
  result.erase(again.begin(), again.end());
  return result;
}

}  // namespace flox::cli
