// flox node images: writes the stub images to an archive.
#include <fmt/format.h>

#include <memory>

#include "cli/node/commands.h"
#include "cli/say.h"
#include "node/installer/stub_images.h"
#include "oci/image_layout.h"

namespace flox::cli {
namespace {

void write_images(const std::string& output, std::string pause) {
  if (pause.empty()) pause = node::installed_pause();
  oci::write_image_archive(output, node::make_stub_images(pause));
  say("✔ Wrote {}. Import it with: ctr -n k8s.io images import {}\n", output, output);
}

}  // namespace

void add_node_images(CLI::App& node) {
  struct NodeImagesOptions {
    std::string output, pause;
  };
  auto options = std::make_shared<NodeImagesOptions>();
  auto* command = node.add_subcommand("images", "Write the stub images that imageless pods name");
  command->add_option("--output", options->output, "archive to write (tar)")->required();
  command->add_option("--pause", options->pause, "pause program (default: flox-pause beside flox)");
  command->footer(
      "Example:\n  flox node images --output images.tar && ctr -n k8s.io images import images.tar");
  command->callback([options] { write_images(options->output, options->pause); });
}

}  // namespace flox::cli
