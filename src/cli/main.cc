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

// In the order of the help. A command that is named first is made alone: all of them together take 7 million
// instructions, which were 2 of the 5 ms of "flox activate -- true".
constexpr std::pair<std::string_view, void (*)(CLI::App&)> commands[] = {
    {"init", add_init},
    {"install", add_install},
    {"uninstall", add_uninstall},
    {"edit", add_edit},
    {"upgrade", add_upgrade},
    {"lock", add_lock},
    {"list", add_list},
    {"activate", add_activate},
    {"deactivate", add_deactivate},
    {"run", add_run},
    {"hook-env", add_hook_env},
    {"services", add_services},
    {"search", add_search},
    {"show", add_show},
    {"import", add_import},
    {"build", add_build},
    {"publish", add_publish},
    {"containerize", add_containerize},
    {"yank", add_yank},
    {"push", add_push},
    {"pull", add_pull},
    {"generations", add_generations},
    {"include", add_include},
    {"envs", add_envs},
    {"delete", add_delete},
    {"sbom", add_sbom},
    {"verify", add_verify},
    {"store", add_store},
    {"node", add_node},
    {"kube", add_kube},
    {"auth", add_auth},
    {"owner", add_owner},
    {"catalog", add_catalog},
    {"policy", add_policy},
    {"trust", add_trust},
    {"config", add_config},
};

// The command that the command line begins with; null if it begins with something else.
const auto* named_first(int argc, char** argv) {
  const auto* const found =
      std::ranges::find_if(commands, [&](const auto& entry) { return argc > 1 && entry.first == argv[1]; });
  return found == std::end(commands) ? nullptr : found;
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

  const auto* const alone = named_first(argc, argv);
  if (alone != nullptr) {
    alone->second(app);
  } else {
    for (const auto& [name, add] : commands) add(app);
    add_completion(app);  // these two are about all of them
    add_manual(app);
  }
  add_effects(app, alone == nullptr);
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
