// flox node uninstall: removes flox from a node.
#include <fmt/ranges.h>
#include <sys/mount.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "base/settings/units.h"
#include "cli/node/commands.h"
#include "cli/node/install_steps.h"
#include "node/floxd/config.h"
#include "node/floxd/store_views.h"
#include "node/images/lease.h"
#include "node/installer/bundle.h"
#include "node/installer/state_names.h"
#include "node/installer/stub_images.h"
#include "node/kept/kept_pods.h"
#include "node/prefetch/prefetch_record.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

// Whether pods run that use flox.
bool refuse_while_pods_run(bool force) {
  const std::vector<std::string> pods = node::running_pods();
  if (pods.empty() || force) return !pods.empty();
  throw Error(
      ErrorKind::conflict,
      fmt::format("uninstalling: {} of this node's pods use flox: {}", pods.size(), fmt::join(pods, ", ")),
      "Move them away first: kubectl cordon NODE, then kubectl drain NODE. With --force they keep running, "
      "but cannot be started again.");
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
  throw Error(ErrorKind::conflict, "uninstalling: floxd still runs",
              "Stop it with what started it, and run this again.");
}

// What was seen of owners whom the node trusts no more. The others were trusted before the installation.
void forget_owners(const fs::path& root) {
  const fs::path seen = root / "var/lib/flox/trust";
  if (!fs::exists(seen)) return;
  for (const auto& entry : fs::directory_iterator(seen))
    if (!fs::exists(root / "etc/flox/trust" / entry.path().filename() / "root.json"))
      remove_tree(entry.path());
  std::error_code in_use;
  fs::remove(seen, in_use);
}

// What floxd has written besides the store.
void remove_state_of_floxd(const fs::path& root, bool pods_run) {
  forget_owners(root);
  node::remove_kept(root);
  node::remove_prefetched(root);
  const fs::path state = root / "var/lib/flox";
  for (const std::string_view name : node::state::all)
    if (!pods_run || name != node::state::lazy) remove_tree(state / name);  // what pods still read
  std::error_code in_use;
  fs::remove(state, in_use);
}

// Of images, and of views of the store. Without floxd nobody would end them.
void end_other_leases(const fs::path& root) {
  const fs::path leases = root / "nix/var/nix/gcroots/flox";
  if (!fs::exists(leases)) return;
  for (const auto& entry : fs::directory_iterator(leases))
    for (const std::string_view prefix : {node::image_holder_prefix, node::view_holder_prefix})
      if (entry.path().filename().string().starts_with(prefix)) remove_tree(entry.path());
}

// What floxd leaves mounted, for containers to come, would keep the store's disk busy; its sockets and their
// directories are of no use to anybody. What somebody else has put there stays.
void remove_runtime_files(const Config& config) {
  const fs::path directory = config.node_socket.parent_path(), views = directory / "views";
  std::error_code in_use;
  const auto unmount = [](const fs::path& place) {
    while (::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
  };
  for (const char* const shown : {"store", "pod-socket"}) unmount(directory / shown);
  if (!config.store_writer.empty()) unmount(config.root / "nix/store");
  if (fs::exists(directory / "lazy"))
    for (const auto& mount : fs::directory_iterator(directory / "lazy")) {
      unmount(mount.path());  // its keeper ends once no container reads there
      fs::remove(mount.path(), in_use);
    }
  if (fs::exists(views)) {
    for (const auto& view : fs::directory_iterator(views)) {
      unmount(view.path() / "merged");
      if (fs::is_empty(view.path() / "merged", in_use)) remove_tree(view.path());
    }
  }
  for (const fs::path& place :
       {directory / "store", directory / "pod-socket", directory / "lazy", views, config.node_socket,
        config.pod_socket_dir / "pod.sock", config.pod_socket_dir, directory})
    fs::remove(place, in_use);
}

void remove_images(const node::Containerd& containerd, const fs::path& programs) {
  if (!containerd_answers(containerd)) return;
  for (const auto& [image, manifest] : node::make_stub_images(programs / "flox-pause").manifests)
    run({.argv = {"ctr", "--address", node::containerd_socket(containerd), "-n", "k8s.io", "images", "rm",
                  image}});
}

void uninstall(const NodeOptions& options) {
  const fs::path& root = options.install.root;
  std::optional<node::ChangeLock> lock;
  if (!options.dry_run) lock.emplace(root, say_who_is_waited_for);
  node::ChangeRecord record(node::installation_record(root));
  if (record.empty() && options.if_installed) return print_done("Nothing is installed");
  if (record.empty())
    throw Error(
        ErrorKind::not_found,
        fmt::format("uninstalling: flox node install did not set this node up: there is no record in {}",
                    node::installation_record(root).string()));
  const node::ChangeSet changes = record.reversion(node::undo_toml_edits, options.force);
  if (options.dry_run) {
    fmt::print("{}# {} would be restored. Nothing was done.\n", changes.diff(),
               count_text(changes.changes().size(), "file"));
    return;
  }
  const bool pods_run = root == "/" && refuse_while_pods_run(options.force);
  const node::Containerd containerd = node::find_containerd(root, options.install.containerd_config);
  const bool systemd = root == "/" && fs::exists("/run/systemd/system");
  if (systemd) run({.argv = {"systemctl", "disable", "--now", "floxd.socket", "floxd.service"}});
  if (root == "/" && !systemd) refuse_while_floxd_runs(Config::load());
  if (root == "/") remove_images(containerd, fs::read_symlink("/proc/self/exe").parent_path());
  if (root == "/") remove_runtime_files(Config::load());
  const fs::path store_root = root == "/" ? Config::load().root : root;
  record.revert(node::undo_toml_edits, options.force);
  // The record goes last: whoever is killed before that can run this again.
  remove_state_of_floxd(store_root, pods_run);
  end_other_leases(store_root);
  node::forget_bundle(root);
  fs::remove(store_root / "nix/var/nix/gcroots/flox-runtime");
  if (systemd) run_checked({.argv = {"systemctl", "daemon-reload"}});
  for (const auto& name : changes.names()) print_done(name);
  if (root == "/" && changes.touches(containerd.config)) restart_containerd(containerd, systemd);
  record.forget();
  std::error_code in_use;
  fs::remove(store_root / "var/lib/flox", in_use);
  print_done(fmt::format("The node is as it was before. Its store stays: {}", (store_root / "nix").string()));
}

}  // namespace

void add_node_uninstall(CLI::App& node) {
  auto options = std::make_shared<NodeOptions>();
  auto* command = node.add_subcommand("uninstall", "Remove flox from this node and restore every file");
  add_node_options(*command, *options);
  command->add_flag("--force", options->force, "even if pods use flox, or the files were changed since");
  command->add_flag("--if-installed", options->if_installed, "succeed where nothing is installed");
  command->footer("Example:\n  flox node uninstall --dry-run");
  command->callback([options] { uninstall(*options); });
}

}  // namespace flox::cli
