// flox node install: sets a node up for imageless pods.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "base/settings/units.h"
#include "cli/node/commands.h"
#include "cli/node/floxd_service.h"
#include "cli/node/install_steps.h"
#include "cli/say.h"
#include "node/floxd/config.h"
#include "node/installer/bundle.h"
#include "node/installer/runtime_closure.h"
#include "node/installer/stub_images.h"
#include "oci/image_layout.h"
#include "package/build/steps.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_root = 256 << 10;  // bytes

void import_images(const node::Containerd& containerd, const fs::path& programs) {
  if (!containerd_answers(containerd))
    return print_to_do(
        "containerd does not answer: it gets the stub images from floxd when the first pod needs them");
  TempDir directory("flox-images-");
  const fs::path archive = directory.path() / "images.tar";
  oci::write_image_archive(archive, node::make_stub_images(programs / "flox-pause"));
  run_checked({.argv = {"ctr", "--address", node::containerd_socket(containerd), "-n", "k8s.io", "images",
                        "import", archive}});
  print_done("stub images imported");
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

void make_closures(store::LocalStore& store, const node::InstallPlan& plan,
                   const node::InstallOptions& options) {
  if (const auto bundle = node::find_bundle(options.root)) {
    node::adopt_bundle(store, *bundle);
    print_done(fmt::format("runtime closure {} from the bundle", bundle->runtime.to_string()));
  } else if (needs_runtime(store, plan, options)) {
    package::Steps steps(true);
    print_done(fmt::format("runtime closure {}", node::build_runtime(store, steps).to_string()));
  }
}

void install(NodeOptions options) {
  Config config = Config::load();
  node::InstallOptions& wanted = options.install;
  wanted.programs = fs::read_symlink("/proc/self/exe").parent_path();
  wanted.node_socket = config.node_socket;
  wanted.registry_address = config.registry_address;
  wanted.registry_key_file = config.registry_key_file;
  if (wanted.trust_from.empty()) wanted.trust_from = config.trust_directory();
  std::optional<node::ChangeLock> lock;
  if (!options.dry_run) lock.emplace(wanted.root, say_who_is_waited_for);
  const node::InstallPlan plan = node::plan_installation(wanted);
  const bool is_reader = !wanted.store_writer.empty() || !config.store_writer.empty();
  const fs::path root = wanted.store_writer.empty() ? config.root : fs::path(node::reader_root);
  const fs::path store_root = wanted.root == "/" ? root : wanted.root;

  if (options.dry_run) {
    fmt::print("{}", plan.files.diff());
    const auto& containerd = plan.containerd;
    fmt::print("# containerd {}.{}{}, configuration {} (version {}). {}\n", containerd.major,
               containerd.minor, containerd.k3s ? " of k3s" : "", containerd.config.string(),
               containerd.config_version,
               plan.files.empty()
                   ? "Nothing would change."
                   : fmt::format("{} would change{}. Nothing was done.",
                                 count_text(plan.files.changes().size(), "file"),
                                 plan.containerd_changed ? ", and containerd would be restarted" : ""));
    return;
  }
  for (const auto& warning : plan.warnings) say("! {}\n", warning);
  store::LocalStore store(store_root);
  const RunningFloxd before = running_floxd(plan, wanted, store);
  node::ChangeRecord record(node::installation_record(wanted.root));
  // Nobody knows what a killed one has come to: it may have written all and restarted nothing.
  const bool is_again = record.is_unfinished();
  // The closure first: it takes most of the disk, and new programs beside an old one would be half a node.
  try {
    if (!is_reader) make_closures(store, plan, wanted);  // else the writer's runtime closure is this node's
    record.apply(plan.files);
  } catch (...) {
    restore_closures(before, store);
    throw;
  }
  for (const auto& name : plan.files.names()) print_done(name);
  if (wanted.root == "/") {
    if (plan.floxd_changed || is_again) start_floxd(plan, wanted, before, store, record);
    if (plan.containerd_changed || is_again) {
      import_images(plan.containerd, wanted.programs);
      restart_containerd(plan.containerd, plan.systemd);
    }
  }
  record.finish();
  if (plan.files.empty() && !is_again) return print_done("The node is set up; nothing had to change");
  print_done("The node is set up. Check it: flox node doctor. Label it: flox node label NAME");
}

}  // namespace

void add_node_install(CLI::App& node) {
  auto options = std::make_shared<NodeOptions>();
  auto* command = node.add_subcommand(
      "install", "Set this node up: programs, floxd, containerd's runtime handler, images");
  add_node_options(*command, *options);
  command->add_flag("--default-runtime", options->install.default_runtime,
                    "make flox the runtime of pods without a RuntimeClass");
  command->add_flag("--nri", options->install.nri,
                    "let pods of other runtimes name environments, too, by making floxd a plugin of "
                    "containerd's (1.7 or later)");
  command->add_flag("!--no-service", options->install.service,
                    "write no systemd service: something else keeps floxd running");
  command->add_option("--prefix", options->install.prefix, "directory in whose bin/ the programs go")
      ->capture_default_str();
  command->add_option("--sandbox-image", options->install.sandbox_image,
                      "image of the pods' sandboxes, as flox.dev/pause:1.0.0 (default: containerd's)");
  command->add_flag("--sandbox-api", options->install.sandbox_api,
                    "let the shim be the pods' sandbox, without a pause container (containerd 2.3 or later)");
  command->add_option("--catalog-url", options->install.catalog_url,
                      "URL of the catalog, written to /etc/flox/config.toml");
  command->add_option("--store-writer", options->install.store_writer,
                      "HOST:PORT of the node whose store this one reads, written to /etc/flox/config.toml");
  command->add_option("--trusted-key", options->install.trusted_keys,
                      "public key to trust, written to /etc/flox/config.toml; repeatable");
  command->add_option("--trust-from", options->install.trust_from,
                      "directory of owners to trust on the node, too (default: your own, trust_dir)");
  command->add_option_function<std::vector<std::string>>(
      "--trusted-root",
      [options](const std::vector<std::string>& roots) {
        for (const std::string& root : roots)
          if (!root.empty())
            options->install.trusted_roots.push_back(root.starts_with('{') ? root
                                                                           : read_file(root, most_root));
      },
      "root.json of an owner to trust on the node, a file or its text; repeatable");
  command->add_flag("--allow-unsigned", options->install.allow_unsigned,
                    "write allow_unsigned = true to /etc/flox/config.toml: for development only");
  command->add_option("--namespace-environment", options->install.namespace_environments,
                      "NAMESPACE=PACKAGE: environment of that namespace's pods that bring none, written to "
                      "/etc/flox/config.toml; repeatable");
  command->footer(
      "Examples:\n  flox node install --catalog-url http://catalog:8590 --trusted-key 'acme-1:…'\n"
      "  flox node install --dry-run");
  command->callback([options] { install(*options); });
}

}  // namespace flox::cli
