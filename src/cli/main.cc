// flox: environments, packages, publishing, node and Kubernetes set-up.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "activation/hook.h"
#include "activation/keeper/attaching.h"
#include "activation/keeper/keeper.h"
#include "base/command_line/program.h"
#include "base/os/memory.h"
#include "cli/commands.h"
#include "cli/effects.h"
#include "cli/inside_container.h"
#include "cli/say.h"
#include "lazy/frames_job.h"
#include "package/imported/unpack.h"
#include "store/fetch/fetcher.h"

namespace flox::cli {
namespace {

// What shells and scripts run again and again. Named first, such a command is made alone: all of them
// together take 7 million instructions, which were 2 of the 5 ms of "flox activate -- true".
constexpr std::pair<std::string_view, void (*)(CLI::App&)> often_run[] = {{"activate", add_activate},
                                                                          {"build", add_build},
                                                                          {"hook-env", add_hook_env},
                                                                          {"install", add_install},
                                                                          {"list", add_list}};

bool add_alone(CLI::App& app, int argc, char** argv) {
  const auto* const found =
      std::ranges::find_if(often_run, [&](const auto& entry) { return argc > 1 && entry.first == argv[1]; });
  if (found == std::end(often_run)) return false;
  found->second(app);
  return true;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Environments and packages, and pods that run from them without images.\n"
      "An independent implementation of Flox's interfaces.",
      "flox"};
  app.set_version_flag("-V,--version", FLOX_VERSION);
  std::string root;
  app.add_option("--root", root, "root directory of the store (FLOX_ROOT; default: /)");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  flox init web && cd web\n"
      "  flox install python3\n"
      "  flox activate -- python3 --version\n"
      "  flox COMMAND --help\n\n"
      "Exit codes: 0 success, 1 an error, 2 a wrong command line; flox activate: the command's own, 127 "
      "where\n"
      "there is no such command, 126 where it cannot be executed.");
  // The configuration reads it from there, for this program and those it starts.
  app.parse_complete_callback([&root] {
    if (!root.empty()) setenv("FLOX_ROOT", std::filesystem::absolute(root).c_str(), 1);
  });

  if (add_alone(app, argc, argv)) {
    add_effects(app, false);
    add_verbosity(app);
    return run_command_line(app, argc, argv);
  }
  add_init(app);
  add_install(app);
  add_uninstall(app);
  add_edit(app);
  add_upgrade(app);
  add_lock(app);
  add_list(app);
  add_activate(app);
  add_deactivate(app);
  add_run(app);
  add_hook_env(app);
  add_services(app);
  add_search(app);
  add_show(app);
  add_import(app);
  add_build(app);
  add_publish(app);
  add_containerize(app);
  add_yank(app);
  add_push(app);
  add_pull(app);
  add_generations(app);
  add_include(app);
  add_envs(app);
  add_delete(app);
  add_sbom(app);
  add_verify(app);
  add_store(app);
  add_node(app);
  add_kube(app);
  add_auth(app);
  add_owner(app);
  add_catalog(app);
  add_policy(app);
  add_trust(app);
  add_config(app);
  add_completion(app);
  add_manual(app);
  add_effects(app, true);
  add_verbosity(app);
  return run_command_line(app, argc, argv);
}

}  // namespace
}  // namespace flox::cli

int main(int argc, char** argv) {
  for (auto* job : {flox::activation::run_environment_job, flox::activation::run_attach_job,
                    flox::activation::run_keeper_job, flox::cli::run_inside_job})
    if (const auto code = job(argc, argv)) return *code;
  flox::store::add_fetcher_job();
  flox::lazy::add_frames_job();
  flox::package::add_unpack_job();
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  flox::keep_freed_memory();
  return flox::run_program([&] { return flox::cli::run(argc, argv); });
}
