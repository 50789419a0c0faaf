// flox node bundle: writes all that a node needs into one archive or image.
#include "node/installer/bundle.h"

#include <filesystem>
#include <memory>

#include "base/command_line/program.h"
#include "base/os/file.h"
#include "base/settings/units.h"
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
    fail_usage("flox node bundle: no file to write is given", "Pass --output FILE, --image FILE, or both.");
  store::LocalStore store(Config::load().root);
  package::Steps steps(false);
  const node::Bundle bundle =
      node::make_bundle(store, fs::read_symlink("/proc/self/exe").parent_path(), steps);
  TempDir directory("flox-bundle-");
  const fs::path archive = output.empty() ? directory.path() / "bundle.tar" : fs::path(output);
  node::write_bundle(store, bundle, archive);
  if (!output.empty())
    fmt::print("✔ Wrote {}, {}, {:.0f} MB. On a node: tar -C / -xpf {} && /opt/flox/bin/flox node install\n",
               output, count_text(bundle.closure.size(), "path"),
               static_cast<double>(fs::file_size(archive)) / 1e6, archive.filename().string());
  if (image.empty()) return;
  const oci::ImageLayout layout = oci::make_image_layout(
      {{.name = name, .env = {"PATH=/opt/flox/bin"}, .layer = read_file(archive, max_layer)}},
      oci::current_architecture());
  oci::write_image_archive(image, layout);
  fmt::print("✔ Wrote {}, the image {}, sha256:{}. On a node: ctr -n k8s.io images import {}\n", image, name,
             layout.manifests.at(name), fs::path(image).filename().string());
}

}  // namespace

void add_node_bundle(CLI::App& node) {
  struct NodeBundleOptions {
    std::string output, image, name = "flox.dev/node:" FLOX_VERSION;
  };
  auto options = std::make_shared<NodeBundleOptions>();
  auto* command = node.add_subcommand("bundle", "Write all that a node needs into one archive or image");
  command->add_option("--output", options->output, "archive to write (tar)");
  command->add_option("--image", options->image, "OCI image to write (tar), for deploy/node");
  command->add_option("--name", options->name, "name of the image")->capture_default_str();
  command->footer(
      "The bundle runs on any Linux of this architecture.\n\n"
      "Example:\n  flox node bundle --output flox.tar\n"
      "  tar -C / -xpf flox.tar && /opt/flox/bin/flox node install      on a node");
  command->callback([options] { write(options->output, options->image, options->name); });
}

}  // namespace flox::cli
