#include "cli/node/install_steps.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "base/os/process.h"
#include "cli/say.h"

namespace flox::cli {

namespace fs = std::filesystem;

void print_done(const std::string& text) { fmt::print("✔ {}\n", text); }
void print_to_do(const std::string& text) { fmt::print("→ {}\n", text); }
void say_who_is_waited_for() {
  say("! Another flox node install or uninstall is changing this machine: waiting until it has ended\n");
}

namespace {

std::string containerd_service(const node::Containerd& containerd) {
  if (!containerd.k3s) return "containerd";
  return fs::exists("/etc/systemd/system/k3s-agent.service") ? "k3s-agent" : "k3s";
}

}  // namespace

void restart_containerd(const node::Containerd& containerd, bool systemd) {
  const std::string service = containerd_service(containerd);
  if (!systemd)
    return print_to_do(fmt::format(
        "Restart {} now: it reads its configuration when it starts. Running pods are not affected.",
        service));
  run_checked({.argv = {"systemctl", "restart", service}});
  print_done(fmt::format("{} restarted; running pods are not affected", service));
}

bool containerd_answers(const node::Containerd& containerd) {
  try {
    return run({.argv = {"ctr", "--address", node::containerd_socket(containerd), "version"}}).exit_code == 0;
  } catch (const Error&) {
    return false;  // no ctr here
  }
}

void add_node_options(CLI::App& command, NodeOptions& options) {
  command.add_flag("--dry-run", options.dry_run, "print what would change, and change nothing");
  command
      .add_option("--target", options.install.root, "root directory of the node (default: this machine's)")
      ->check(CLI::ExistingDirectory);
  command.add_option("--containerd-config", options.install.containerd_config,
                     "configuration file of containerd (default: the one that containerd uses)");
}

}  // namespace flox::cli
