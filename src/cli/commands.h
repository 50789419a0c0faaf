// The subcommands of flox, one file each. Each function adds its subcommand to the program, with one line of
// description, its options and an example; the subcommand's callback does the work and throws Error.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_init(CLI::App& app);
void add_install(CLI::App& app);
void add_uninstall(CLI::App& app);
void add_edit(CLI::App& app);
void add_upgrade(CLI::App& app);
void add_lock(CLI::App& app);
void add_list(CLI::App& app);
void add_activate(CLI::App& app);
void add_deactivate(CLI::App& app);
void add_run(CLI::App& app);
void add_hook_env(CLI::App& app);
void add_services(CLI::App& app);
void add_search(CLI::App& app);
void add_show(CLI::App& app);
void add_import(CLI::App& app);
void add_build(CLI::App& app);
void add_publish(CLI::App& app);
void add_containerize(CLI::App& app);
void add_yank(CLI::App& app);
void add_push(CLI::App& app);
void add_pull(CLI::App& app);
void add_generations(CLI::App& app);
void add_include(CLI::App& app);
void add_envs(CLI::App& app);
void add_delete(CLI::App& app);
void add_sbom(CLI::App& app);
void add_verify(CLI::App& app);
void add_store(CLI::App& app);
void add_node(CLI::App& app);
void add_kube(CLI::App& app);
void add_auth(CLI::App& app);
void add_owner(CLI::App& app);
void add_catalog(CLI::App& app);
void add_policy(CLI::App& app);
void add_trust(CLI::App& app);
void add_config(CLI::App& app);
void add_completion(CLI::App& app);
void add_manual(CLI::App& app);

}  // namespace flox::cli
