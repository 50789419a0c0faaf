// flox node: the parts of a node, and how it is.
#include <memory>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "cli/commands.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "node/installer/runtime_closure.h"
#include "node/installer/stub_images.h"
#include "oci/image_layout.h"
#include "package/build/steps.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

void make_runtime() {
  store::LocalStore store(Config::load().root);
  package::Steps steps(false);
  fmt::print("{}\n", node::build_runtime(store, steps).to_string());
}

void write_images(const std::string& output, std::string pause) {
  if (pause.empty()) pause = node::installed_pause();
  oci::write_image_archive(output, node::make_stub_images(pause));
  fmt::print(stderr, "✔ Wrote {}: import it with: ctr -n k8s.io images import {}\n", output, output);
}

void show_status() {
  Config config = Config::load();
  store::LocalStore store(config.root);
  auto leases = store::list_leases(store);
  std::string health = "not running, or not at this address";
  try {
    HttpResponse response =
        HttpClient().send({.url = "http://" + config.metrics_address.to_string() + "/healthz",
                           .timeout = std::chrono::seconds(2),
                           .max_body = BodyLimit(1 << 20)});
    health = response.ok() ? "running" : fmt::format("unhealthy: {}", response.body);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
  }
  fmt::print("floxd      {} ({})\nstore      {}\ncatalog    {}\nleases     {}\n", health,
             config.metrics_address.to_string(), store.store_directory().string(),
             config.catalog_url.empty() ? "(none)" : hide_login(config.catalog_url), leases.size());
  for (const auto& lease : leases)
    for (const auto& path : lease.paths) fmt::print("  {:<68}  {}\n", lease.holder, path.base_name());
}

}  // namespace

void add_node(CLI::App& app) {
  auto* node = app.add_subcommand("node", "The parts of a Kubernetes node, and how it is");
  node->require_subcommand(1);
  auto* runtime = node->add_subcommand(
      "runtime", "Build the runtime closure that every imageless pod gets: sh, small tools, flox");
  runtime->callback(make_runtime);

  auto* images = node->add_subcommand("images", "Write the stub images that imageless pods name");
  auto output = std::make_shared<std::string>();
  auto pause = std::make_shared<std::string>();
  images->add_option("--output", *output, "the archive to write")->required();
  images->add_option("--pause", *pause, "the pause program (default: flox-pause beside flox)");
  images->callback([output, pause] { write_images(*output, *pause); });

  add_node_install(*node);
  add_node_uninstall(*node);
  add_node_bundle(*node);
  add_node_doctor(*node);
  add_node_label(*node);
  node->add_subcommand("status", "Show floxd, the store and its leases")->callback(show_status);
}

}  // namespace flox::cli
