// flox import deb: Debian packages as store paths, and into the catalog.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"
#include "cli/commands.h"
#include "package/import_deb.h"
#include "package/steps.h"

namespace flox::cli {
namespace {

struct Options {
  std::vector<std::string> names;
  bool json = false;
  bool quiet = false;
};

std::string store_root(const CLI::App& app) {
  const CLI::Option* root = app.get_option_no_throw("--root");
  return root != nullptr && root->count() > 0 ? root->as<std::string>() : Config::load().root.string();
}

void import_debs(const CLI::App& app, const Options& options) {
  package::Steps steps(options.quiet);
  store::LocalStore store(store_root(app));
  auto imported = package::import_deb(store, options.names, {.on_step = steps});
  nlohmann::json json = nlohmann::json::array();
  for (const auto& package : imported) {
    const auto& build = package.build;
    if (options.json) {
      json.push_back(build.to_json());
      json.back()["from_installed"] = package.from_installed;
    } else {
      fmt::print("{} {}  {}  {:.1f} MB with all that it needs\n", build.name, build.version, build.outputs.at("out").to_string(),
                 static_cast<double>(build.closure_size) / 1e6);
    }
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

void add_import(CLI::App& app) {
  auto* import = app.add_subcommand("import", "Make packages of another system available");
  import->require_subcommand(1);
  auto* deb = import->add_subcommand("deb", "Turn Debian packages into store paths");
  auto options = std::make_shared<Options>();
  deb->add_option("NAME", options->names, "Debian packages, as apt knows them")->required();
  deb->add_flag("--json", options->json, "Print what was imported as JSON");
  deb->add_flag("-q,--quiet", options->quiet, "Print no progress");
  deb->footer(
      "Each package becomes one tree with what Debian split off it, and one store path for each library that it needs.\n"
      "Examples:\n"
      "  flox import deb busybox-static\n"
      "  flox import deb python3 --json");
  deb->callback([&app, options] { import_debs(app, *options); });
}

}  // namespace flox::cli
