// flox node install, flox node uninstall: sets a node up for imageless pods, and takes that back.
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "node/installer/bundle.h"
#include "node/installer/installation.h"
#include "node/installer/runtime_closure.h"
#include "node/installer/stub_images.h"
#include "oci/image_layout.h"
#include "package/build/steps.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  node::InstallOptions install;
  bool dry_run = false, force = false, if_installed = false;
};

void done(const std::string& text) { fmt::print("✔ {}\n", text); }
void to_do(const std::string& text) { fmt::print("→ {}\n", text); }

std::string containerd_service(const node::Containerd& containerd) {
  if (!containerd.k3s) return "containerd";
  return fs::exists("/etc/systemd/system/k3s-agent.service") ? "k3s-agent" : "k3s";
}

void restart_containerd(const node::Containerd& containerd, bool systemd) {
  const std::string service = containerd_service(containerd);
  if (!systemd)
    return to_do(fmt::format(
        "restart {} now: it reads its configuration only then; running pods do not notice", service));
  run_checked({.argv = {"systemctl", "restart", service}});
  done(fmt::format("{} restarted; running pods did not notice", service));
}

bool containerd_answers(const node::Containerd& containerd) {
  try {
    return run({.argv = {"ctr", "--address", node::containerd_socket(containerd), "version"}}).exit_code == 0;
  } catch (const Error&) {
    return false;  // no ctr here
  }
}

void import_images(const node::Containerd& containerd, const fs::path& programs) {
  if (!containerd_answers(containerd))
    return to_do(
        "containerd does not answer: it gets the stub images from floxd when the first pod asks for them");
  TempDir directory("flox-images-");
  const fs::path archive = directory.path() / "images.tar";
  oci::write_image_archive(archive, node::make_stub_images(programs / "flox-pause"));
  run_checked({.argv = {"ctr", "--address", node::containerd_socket(containerd), "-n", "k8s.io", "images",
                        "import", archive}});
  done("stub images imported: no registry is asked for them");
}

void start_floxd(const node::InstallPlan& plan, const node::InstallOptions& options) {
  if (!options.service) return;
  if (!plan.systemd) return to_do("no systemd here: keep floxd running by what this machine has instead");
  run_checked({.argv = {"systemctl", "daemon-reload"}});
  run_checked({.argv = {"systemctl", "enable", "floxd"}});
  run_checked({.argv = {"systemctl", "restart", "floxd"}});
  done("floxd runs");
}

// The closure holds the flox that pods get: a new flox makes a new one.
bool needs_runtime(const store::LocalStore& store, const node::InstallPlan& plan,
                   const node::InstallOptions& options) {
  if (plan.files.touches(options.root / (options.prefix / "bin/flox").relative_path())) return true;
  try {
    node::current_runtime(store);
    return false;
  } catch (const Error&) {
    return true;
  }
}

void install(Options options) {
  Config config = Config::load();
  node::InstallOptions& wanted = options.install;
  wanted.programs = fs::read_symlink("/proc/self/exe").parent_path();
  wanted.registry_address = config.registry_address;
  const node::InstallPlan plan = node::plan_installation(wanted);
  const fs::path store_root = wanted.root == "/" ? config.root : wanted.root;

  if (options.dry_run) {
    fmt::print("{}", plan.files.diff());
    const auto& containerd = plan.containerd;
    fmt::print("# containerd {}.{}{}, configuration {} (version {}). {}\n", containerd.major,
               containerd.minor, containerd.k3s ? " of k3s" : "", containerd.config.string(),
               containerd.config_version,
               plan.files.empty()
                   ? "Nothing would change."
                   : fmt::format("{} files would change{}. Nothing was done.", plan.files.changes().size(),
                                 plan.containerd_changed ? ", and containerd be restarted" : ""));
    return;
  }
  for (const auto& warning : plan.warnings) fmt::print(stderr, "! {}\n", warning);
  node::ChangeRecord(node::installation_record(wanted.root)).apply(plan.files);
  for (const auto& change : plan.files.changes()) done(change.path.string());
  store::LocalStore store(store_root);
  if (const auto bundle = node::find_bundle(wanted.root)) {
    node::adopt_bundle(store, *bundle);
    done(fmt::format("runtime closure {}, of the bundle", bundle->runtime.to_string()));
  } else if (needs_runtime(store, plan, wanted)) {
    package::Steps steps(true);
    done(fmt::format("runtime closure {}", node::build_runtime(store, steps).to_string()));
  }
  if (wanted.root == "/") {
    if (plan.floxd_changed) start_floxd(plan, wanted);
    if (plan.containerd_changed) {
      import_images(plan.containerd, wanted.programs);
      restart_containerd(plan.containerd, plan.systemd);
    }
  }
  if (plan.files.empty()) return done("The node is set up; nothing had to change");
  done("The node is set up. See how it is: flox node doctor. Label it: flox node label NAME");
}

void refuse_while_pods_run(bool force) {
  const std::vector<std::string> pods = node::running_pods();
  if (pods.empty() || force) return;
  throw Error(
      ErrorKind::conflict,
      fmt::format("{} of this node's pods run under our shim: {}", pods.size(), fmt::join(pods, ", ")),
      "move them away first: kubectl cordon NODE, then kubectl delete them or kubectl drain NODE; --force "
      "uninstalls all "
      "the same (they keep running, but cannot be started again)");
}

// Without systemd we cannot stop it ourselves, and it would go on giving leases.
void refuse_while_floxd_runs(const Config& config) {
  try {
    HttpClient().send({.url = "http://" + config.metrics_address.to_string() + "/healthz",
                       .timeout = std::chrono::seconds(2),
                       .max_body = BodyLimit(1 << 20)});
  } catch (const Error&) {
    return;
  }
  throw Error(ErrorKind::conflict, "floxd still runs", "stop it, by what started it, and run this again");
}

// What floxd has written besides the store.
void remove_state_of_floxd(const fs::path& root) {
  for (const char* file : {"var/lib/flox/containers.json", "var/lib/flox/floxd.lock"})
    fs::remove(root / file);
  std::error_code in_use;
  fs::remove(root / "var/lib/flox", in_use);
}

void remove_images(const node::Containerd& containerd, const fs::path& programs) {
  if (!containerd_answers(containerd)) return;
  for (const auto& [image, manifest] : node::make_stub_images(programs / "flox-pause").manifests)
    run({.argv = {"ctr", "--address", node::containerd_socket(containerd), "-n", "k8s.io", "images", "rm",
                  image}});
}

void uninstall(const Options& options) {
  const fs::path& root = options.install.root;
  node::ChangeRecord record(node::installation_record(root));
  if (record.empty() && options.if_installed) return done("There is nothing to take back");
  if (record.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("no flox node install has set this node up: {} has no record of it",
                            node::installation_record(root).string()));
  const node::ChangeSet changes = record.reversion(node::undo_toml_edits, options.force);
  if (options.dry_run) {
    fmt::print("{}# {} files would be put back. Nothing was done.\n", changes.diff(),
               changes.changes().size());
    return;
  }
  if (root == "/") refuse_while_pods_run(options.force);
  const node::Containerd containerd = node::find_containerd(root, options.install.containerd_config);
  const bool systemd = root == "/" && fs::exists("/run/systemd/system");
  if (systemd) run({.argv = {"systemctl", "disable", "--now", "floxd"}});
  if (root == "/" && !systemd) refuse_while_floxd_runs(Config::load());
  if (root == "/") remove_images(containerd, fs::read_symlink("/proc/self/exe").parent_path());
  const fs::path store_root = root == "/" ? Config::load().root : root;
  record.revert(node::undo_toml_edits, options.force);
  remove_state_of_floxd(store_root);
  node::forget_bundle(root);
  if (systemd) run_checked({.argv = {"systemctl", "daemon-reload"}});
  for (const auto& change : changes.changes()) done(change.path.string());
  if (root == "/" && changes.touches(containerd.config)) restart_containerd(containerd, systemd);
  fs::remove(store_root / "nix/var/nix/gcroots/flox-runtime");
  done(fmt::format("The node is as it was. Its store stays, for Nix and for another time: {}",
                   (store_root / "nix").string()));
}

void add_common(CLI::App& command, Options& options) {
  command.add_flag("--dry-run", options.dry_run, "print what would change, and change nothing");
  command
      .add_option("--target", options.install.root, "root directory of the node, if it is not this machine")
      ->check(CLI::ExistingDirectory);
  command.add_option("--containerd-config", options.install.containerd_config,
                     "containerd's configuration (default: found)");
}

}  // namespace

void add_node_install(CLI::App& node) {
  auto options = std::make_shared<Options>();
  auto* command = node.add_subcommand(
      "install", "Set this node up: programs, floxd, containerd's handler flox, stub images");
  add_common(*command, *options);
  command->add_flag("--default-runtime", options->install.default_runtime,
                    "pods without a RuntimeClass run under flox too");
  command->add_flag("!--no-service", options->install.service,
                    "no systemd service: something else keeps floxd running");
  command->add_option("--prefix", options->install.prefix, "where the programs go, in bin/")
      ->capture_default_str();
  command->add_option(
      "--sandbox-image", options->install.sandbox_image,
      "the image that keeps every pod's namespaces, as flox.dev/pause:1.0.0 (default: as it is)");
  command->add_option("--catalog-url", options->install.catalog_url, "goes into /etc/flox/config.toml");
  command->add_option("--trusted-key", options->install.trusted_keys,
                      "public key whose signatures are accepted; repeatable; the same");
  command->add_option("--namespace-environment", options->install.namespace_environments,
                      "NAMESPACE=PACKAGE: what flox activate stands for in pods there that bring no "
                      "environment; repeatable; the same");
  command->callback([options] { install(*options); });
}

void add_node_uninstall(CLI::App& node) {
  auto options = std::make_shared<Options>();
  auto* command =
      node.add_subcommand("uninstall", "Take flox node install back: every file as it was, byte for byte");
  add_common(*command, *options);
  command->add_flag("--force", options->force, "although pods run, or others have changed the files since");
  command->add_flag("--if-installed", options->if_installed,
                    "no error where nothing is installed: for scripts that try again");
  command->callback([options] { uninstall(*options); });
}

}  // namespace flox::cli
