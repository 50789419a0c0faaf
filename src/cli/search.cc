// flox search, flox show: what the catalog has.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"
#include "catalog/client.h"
#include "cli/commands.h"

namespace flox::cli {
namespace {

struct Options {
  std::string term;
  bool json = false;
};

catalog::Client client() {
  Config config = Config::load();
  return catalog::Client(config.catalog_url, config.catalog_token);
}

void print_json(const std::vector<catalog::PackageBuild>& builds) {
  nlohmann::json items = nlohmann::json::array();
  for (const auto& build : builds) items.push_back(build.to_json());
  fmt::print("{}\n", items.dump(2));
}

void search(const Options& options) {
  auto builds = client().search(options.term);
  if (options.json) return print_json(builds);
  if (builds.empty()) fail(ErrorKind::not_found, "No packages matched this search term: '{}'", options.term);
  size_t width = 0;
  for (const auto& build : builds) width = std::max(width, build.name.size());
  for (const auto& build : builds) fmt::print("{:<{}}  {}\n", build.name, width, build.description);
}

void show(const Options& options) {
  auto builds = client().show(options.term);
  if (options.json) return print_json(builds);
  const auto& latest = builds.front();
  fmt::print("{} - {}\n", latest.name, latest.description);
  fmt::print("  Latest:   {}@{}\n  License:  {}\n  Signed:   {}\n  Size:     {:.1f} MB with all it needs\n",
             latest.name, latest.version, latest.license.empty() ? "N/A" : latest.license,
             latest.signer.empty() ? "N/A" : latest.signer, static_cast<double>(latest.closure_size) / 1e6);
  fmt::print("  Versions:\n");
  for (const auto& build : builds)
    fmt::print("    {}@{}  {}{}  {}\n", build.name, build.version, build.system,
               build.variant.empty() ? "" : " " + build.variant, build.outputs.begin()->second.to_string());
}

}  // namespace

void add_search(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* find = app.add_subcommand("search", "Find packages in the catalog");
  find->add_option("TERM", options->term, "part of a name or description")->required();
  find->add_flag("--json", options->json, "print JSON");
  find->callback([options] { search(*options); });
  auto* details = app.add_subcommand("show", "Show a package's versions and who signed them");
  details->add_option("PACKAGE", options->term, "its name")->required();
  details->add_flag("--json", options->json, "print JSON");
  details->callback([options] { show(*options); });
}

}  // namespace flox::cli
