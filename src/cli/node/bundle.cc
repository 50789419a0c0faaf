// flox node bundle, unpack and on-host: everything that a node needs in one archive or image, and a
// DaemonSet's way from its container to the node.
#include "node/installer/bundle.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "oci/image_layout.h"
#include "package/build/steps.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t max_layer = size_t{4} << 30;  // bytes: a closure that we have packed ourselves

void write(const std::string& output, const std::string& image, const std::string& name) {
  if (output.empty() && image.empty())
    throw Error(ErrorKind::invalid_input, "nothing to write",
                "name an archive with --output, an image with --image, or both");
  store::LocalStore store(Config::load().root);
  package::Steps steps(false);
  const node::Bundle bundle =
      node::make_bundle(store, fs::read_symlink("/proc/self/exe").parent_path(), steps);
  TempDir directory("flox-bundle-");
  const fs::path archive = output.empty() ? directory.path() / "bundle.tar" : fs::path(output);
  node::write_bundle(store, bundle, archive);
  if (!output.empty())
    fmt::print(
        "✔ Wrote {}, {} paths, {:.0f} MB. On a node: tar -C / -xpf {} && /opt/flox/bin/flox node install\n",
        output, bundle.closure.size(), static_cast<double>(fs::file_size(archive)) / 1e6,
        archive.filename().string());
  if (image.empty()) return;
  const oci::ImageLayout layout = oci::make_image_layout(
      {{.name = name, .env = {"PATH=/opt/flox/bin"}, .layer = read_file(archive, max_layer)}},
      oci::current_architecture());
  oci::write_image_archive(image, layout);
  fmt::print("✔ Wrote {}, the image {}, sha256:{}. On a node: ctr -n k8s.io images import {}\n", image, name,
             layout.manifests.at(name), fs::path(image).filename().string());
}

// The mount namespace, root directory and network of the node, for a container with its processes in sight
// (hostPID).
void enter_node() {
  for (const char* kind : {"net", "mnt"}) {
    const std::string path = fmt::format("/proc/1/ns/{}", kind);
    Fd target(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (target.get() < 0 || ::setns(target.get(), 0) != 0) {
      const int error = errno;
      in_context("the container must be privileged, and in the node's process namespace (hostPID: true)",
                 [&] { fail_errno(error, "entering {}", path); });
    }
  }
}

void run_on_node(const std::vector<std::string>& command) {
  enter_node();
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  ::execvp(argv[0], argv.data());
  fail_errno(errno, "starting {} on the node", command[0]);
}

// To the node by default. Its files are not written through /proc/1/root: SQLite would take that link for
// what it says.
void unpack(const fs::path& to) {
  if (to.empty()) {
    Fd container(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    enter_node();
    node::copy_bundle(fmt::format("/proc/self/fd/{}", container.get()), "/");
  } else {
    node::copy_bundle("/", to);
  }
  fmt::print("✔ The bundle is at {}\n", (to.empty() ? fs::path("/opt/flox") : to / "opt/flox").string());
}

}  // namespace

void add_node_bundle(CLI::App& node) {
  struct Options {
    std::string output, image, name = "flox.dev/node:" FLOX_VERSION;
    fs::path to;
    std::vector<std::string> command;
  };
  auto options = std::make_shared<Options>();
  auto* bundle = node.add_subcommand(
      "bundle", "Put all that a node needs into one archive, which runs on any Linux of this architecture");
  bundle->add_option("--output", options->output, "the archive to write (tar)");
  bundle->add_option("--image", options->image, "the same as an OCI image, for deploy/node");
  bundle->add_option("--name", options->name, "the image's name")->capture_default_str();
  bundle->callback([options] { write(options->output, options->image, options->name); });

  auto* copy = node.add_subcommand("unpack",
                                   "Copy the bundle that this flox is part of to the node, from a privileged "
                                   "container, or to another root");
  copy->add_option("--to", options->to, "root directory (default: the node's, whose process 1 is in sight)")
      ->check(CLI::ExistingDirectory);
  copy->callback([options] { unpack(options->to); });

  auto* on_host = node.add_subcommand("on-host", "Run a command on the node, from a privileged container");
  on_host->add_option("COMMAND", options->command, "command and arguments, after --")->required();
  on_host->positionals_at_end();
  on_host->callback([options] { run_on_node(options->command); });
}

}  // namespace flox::cli
