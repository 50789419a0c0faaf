#include "cli/inside_container.h"

#include <unistd.h>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/process.h"
#include "cli/starting.h"
#include "nix/store_path.h"

namespace flox::cli {
namespace {

constexpr std::string_view inside_job = "--flox-inside";

Inside inside_of_profile(const fs::path& profile, const std::string& mode) {
  const env::Variables variables = environment_for_children();
  const auto name = variables.find("FLOX_ENV_DESCRIPTION");
  return {.project = profile,
          .name = name == variables.end() ? profile.filename().string() : name->second,
          .key = {.profile = profile, .mode = mode},
          .activation = {.environment = variables,
                         .has_hook = env::profile_has(profile, "activate.d/hook-on-activate")},
          .before = variables,
          .services = services_of_profile(profile),
          .has_deactivate_hook = env::profile_has(profile, "activate.d/hook-on-deactivate")};
}

int run_inside(const fs::path& profile, const std::string& mode, const std::vector<std::string>& command) {
  Inside inside = inside_of_profile(nix::StorePath::parse(profile.native()).to_string(), mode);
  if (inside.services.auto_start) inside.activation.environment["FLOX_ACTIVATE_START_SERVICES"] = "true";
  auto keeper = enter(inside, ::getpid(), false);
  if (inside.services.auto_start && keeper) start_services(inside, *keeper, false);
  return start(inside, command_to_start(inside, command), std::move(keeper));
}

}  // namespace

std::optional<Inside> inside_of_container() {
  const env::Variables variables = environment_for_children();
  const auto profile = variables.find("FLOX_ENV");
  if (variables.contains("FLOX_ENV_PROJECT") || profile == variables.end()) return std::nullopt;
  const auto mode = env::active_mode(variables, {});
  if (!mode || !profile->second.starts_with(nix::store_dir)) return std::nullopt;
  return inside_of_profile(nix::StorePath::parse(profile->second).to_string(), *mode);
}

std::optional<int> run_inside_job(int argc, char** argv) {
  if (argc < 5 || argv[1] != inside_job) return std::nullopt;
  return run_program([&] { return run_inside(argv[2], argv[3], {argv + 4, argv + argc}); });
}

}  // namespace flox::cli
