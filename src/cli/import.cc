// flox import deb: Debian packages as store paths, and into the catalog.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/publishing.h"
#include "cli/say.h"
#include "node/floxd/config.h"
#include "package/build/steps.h"
#include "package/debian/import_deb.h"

namespace flox::cli {
namespace {

struct ImportDebOptions {
  std::vector<std::string> names;
  std::string suite;
  std::string apt_sources;
  bool installed = false;
  bool no_smoke_run = false;
  bool allow_broken = false;
  bool json = false;
  bool quiet = false;
  bool publish = false;
  PublishTo publish_to;
};

package::DebianSource source_of(const ImportDebOptions& options) {
  using Kind = package::DebianSource::Kind;
  package::DebianSource source{.kind = options.installed ? Kind::installed : Kind::repository,
                               .sources = options.apt_sources};
  if (!options.suite.empty()) source.suite = options.suite;
  return source;
}

// Of the programs that were started, those that did something else than run.
void tell_programs(const package::ImportedPackage& imported) {
  if (!imported.programs || imported.programs->empty()) return;
  size_t ran = 0;
  for (const auto& result : *imported.programs) {
    if (result.verdict == package::SmokeResult::Verdict::ran) ++ran;
    if (result.verdict != package::SmokeResult::Verdict::ran)
      say("! {} {}: {}\n", result.program, package::to_string(result.verdict), result.detail);
  }
  say("  {} of {} programs of {} ran in an empty root\n", ran, imported.programs->size(),
      imported.build.name);
}

nlohmann::json json_of(const package::ImportedPackage& imported) {
  nlohmann::json json = imported.build.to_json();
  json["from_installed"] = imported.from_installed;
  if (!imported.programs) return json;
  json["programs"] = nlohmann::json::array();
  for (const auto& result : *imported.programs)
    json["programs"].push_back({{"program", result.program},
                                {"verdict", package::to_string(result.verdict)},
                                {"detail", result.detail}});
  return json;
}

void import_debs(const ImportDebOptions& options) {
  package::Steps steps(options.quiet);
  std::vector<package::WantedPackage> wanted;
  for (const auto& name : options.names) wanted.push_back(package::WantedPackage::parse(name));
  store::LocalStore store(Config::load().root);
  const package::ImportOptions import{
      .debian = {.download_cache = {}, .on_step = steps, .source = source_of(options)},
      .with_provenance = options.publish,
      .run_programs = !options.no_smoke_run};
  std::optional<Publisher> publisher;
  if (options.publish) publisher.emplace(options.publish_to);  // before the work: a key may be missing
  nlohmann::json json = nlohmann::json::array();
  for (const auto& package : package::import_deb(store, wanted, import)) {
    const auto& build = package.build;
    if (!options.quiet) tell_programs(package);
    if (publisher && !options.allow_broken) check_programs(package);
    if (publisher) publisher->publish(store, build, package.provenance);
    if (options.json)
      json.push_back(json_of(package));
    else
      fmt::print("{} {}  {}  {:.1f} MB with all that it needs\n", build.name, build.version,
                 build.outputs.at("out").to_string(), static_cast<double>(build.closure_size) / 1e6);
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

void add_import(CLI::App& app) {
  auto* import = app.add_subcommand("import", "Import packages from another package manager");
  import->require_subcommand(1);
  import->footer("Example:\n  flox import deb python3 --publish");
  auto* deb = import->add_subcommand("deb", "Import Debian packages into the store");
  auto options = std::make_shared<ImportDebOptions>();
  deb->add_option("NAME", options->names,
                  "names of Debian packages; NAME=VERSION for one of several versions")
      ->required();
  auto* suite =
      deb->add_option("--suite", options->suite, "suite of Debian to import from (default bookworm)");
  auto* sources =
      deb->add_option("--apt-sources", options->apt_sources,
                      "file of apt's sources to import from instead of Debian's (sources.list(5))");
  auto* installed =
      deb->add_flag("--installed", options->installed, "import the files that are installed on this machine");
  suite->excludes(sources)->excludes(installed);
  sources->excludes(installed);
  deb->add_flag("--no-smoke-run", options->no_smoke_run, "do not start the programs in an empty root");
  deb->add_flag("--allow-broken", options->allow_broken,
                "publish although programs do not run in an empty root");
  deb->add_flag("--json", options->json, "print what was imported as JSON");
  deb->add_flag("--publish", options->publish, "sign what was imported and publish it to the catalog");
  add_publish_options(*deb, options->publish_to);
  deb->add_flag("-q,--quiet", options->quiet, "print no progress");
  deb->footer(
      "The .deb files come from Debian's repository, verified by its signature, whatever this machine runs. "
      "Each\n"
      "Debian package becomes a store path; the named one has its programs, with all that they need around "
      "them.\n"
      "Each program is started once in an empty root; one that does not run is not published.\n\n"
      "Examples:\n"
      "  flox import deb busybox-static\n"
      "  flox import deb jq --suite trixie\n"
      "  flox import deb python3 --publish");
  deb->callback([options] { import_debs(*options); });
}

}  // namespace flox::cli
