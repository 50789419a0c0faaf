// flox import deb: Debian packages as store paths, and into the catalog.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/publishing.h"
#include "node/floxd/config.h"
#include "package/build/steps.h"
#include "package/debian/import_deb.h"

namespace flox::cli {
namespace {

struct ImportOptions {
  std::vector<std::string> names;
  bool json = false;
  bool quiet = false;
  bool publish = false;
  PublishTo publish_to;
};

void import_debs(const ImportOptions& options) {
  package::Steps steps(options.quiet);
  std::optional<Publisher> publisher;
  if (options.publish) publisher.emplace(options.publish_to);  // before the work: a key may be missing
  store::LocalStore store(Config::load().root);
  nlohmann::json json = nlohmann::json::array();
  for (const auto& package : package::import_deb(store, options.names, {.on_step = steps}, options.publish)) {
    const auto& build = package.build;
    if (publisher) publisher->publish(store, build, package.provenance);
    if (options.json) {
      json.push_back(build.to_json());
      json.back()["from_installed"] = package.from_installed;
    } else {
      fmt::print("{} {}  {}  {:.1f} MB with all that it needs\n", build.name, build.version,
                 build.outputs.at("out").to_string(), static_cast<double>(build.closure_size) / 1e6);
    }
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

void add_import(CLI::App& app) {
  auto* import = app.add_subcommand("import", "Import packages from another package manager");
  import->require_subcommand(1);
  import->footer("Example:\n  flox import deb python3 --publish");
  auto* deb = import->add_subcommand("deb", "Import Debian packages into the store");
  auto options = std::make_shared<ImportOptions>();
  deb->add_option("NAME", options->names, "names of Debian packages, as apt has them")->required();
  deb->add_flag("--json", options->json, "print what was imported as JSON");
  deb->add_flag("--publish", options->publish, "sign what was imported and publish it to the catalog");
  add_publish_options(*deb, options->publish_to);
  deb->add_flag("-q,--quiet", options->quiet, "print no progress");
  deb->footer(
      "Each package and each library that it needs becomes a store path. Parts that Debian packages\n"
      "separately (python3 and libpython3-stdlib) are put together again.\n\n"
      "Examples:\n"
      "  flox import deb busybox-static\n"
      "  flox import deb python3 --publish");
  deb->callback([options] { import_debs(*options); });
}

}  // namespace flox::cli
