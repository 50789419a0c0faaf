// flox import, and what its subcommands share.
#include <fmt/format.h>

#include <filesystem>

#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/commands.h"
#include "cli/import/commands.h"
#include "cli/say.h"
#include "nix/signature.h"

namespace flox::cli {
namespace {

// Of the programs that were started, those that did something else than run.
void tell_programs(const package::ImportedPackage& imported) {
  if (!imported.programs || imported.programs->empty()) return;
  size_t ran = 0;
  for (const auto& result : *imported.programs) {
    if (result.verdict == package::SmokeResult::Verdict::ran) ++ran;
    if (result.verdict != package::SmokeResult::Verdict::ran)
      say("! {} {}: {}\n", printable(result.program), package::to_string(result.verdict), result.detail);
  }
  say("  {} of {} programs of {} ran in an empty root\n", ran, imported.programs->size(),
      imported.build.name);
}

nlohmann::json json_of(const package::ImportedPackage& imported) {
  nlohmann::json json = imported.build.to_json();
  json["from_installed"] = imported.from_installed;
  for (const package::ImportedPart& part : imported.parts)
    json["parts"].push_back(
        {{"name", part.name}, {"version", part.version}, {"path", part.path.to_string()}});
  if (!imported.programs) return json;
  json["programs"] = nlohmann::json::array();
  for (const auto& result : *imported.programs)
    json["programs"].push_back({{"program", result.program},
                                {"verdict", package::to_string(result.verdict)},
                                {"detail", result.detail}});
  return json;
}

}  // namespace

void add_result_options(CLI::App& command, ImportResults& results) {
  command.add_flag("--no-smoke-run", results.no_smoke_run, "do not start the programs in an empty root");
  command.add_flag("--allow-broken", results.allow_broken,
                   "publish although programs do not run in an empty root");
  command.add_flag("--json", results.json, "print what was imported as JSON");
  command.add_flag("--publish", results.publish, "sign what was imported and publish it to the catalog");
  add_publish_options(command, results.publish_to);
  command.add_flag("-q,--quiet", results.quiet, "print no progress");
}

ImportResultWriter::ImportResultWriter(const ImportResults& options) : options_(options) {
  if (options.publish) publisher_.emplace(options.publish_to);
}

void ImportResultWriter::write(const store::LocalStore& store, const package::ImportedPackage& package) {
  const auto& build = package.build;
  if (!options_.quiet) tell_programs(package);
  if (publisher_ && !options_.allow_broken) check_programs(package);
  if (publisher_) publisher_->publish(store, build, package.provenance);
  if (options_.json) {
    json_.push_back(json_of(package));
    return;
  }
  const auto out = build.outputs.find("out");
  fmt::print("{} {}  {}  {:.1f} MB with all that it needs\n", build.name, build.version,
             (out == build.outputs.end() ? build.outputs.begin() : out)->second.to_string(),
             static_cast<double>(build.closure_size) / 1e6);
}

void ImportResultWriter::finish() const {
  if (options_.json) fmt::print("{}\n", json_.dump(2));
}

void add_debian_origin(CLI::App& command, DebianOrigin& origin) {
  auto* suite =
      command.add_option("--suite", origin.suite, "suite of Debian to import from (default bookworm)");
  command
      .add_option("--apt-sources", origin.apt_sources,
                  "file of apt's sources to import from instead of Debian's (sources.list(5))")
      ->excludes(suite);
}

package::DebianSource debian_source(const DebianOrigin& origin) {
  using Kind = package::DebianSource::Kind;
  package::DebianSource source{.kind = origin.installed ? Kind::installed : Kind::repository,
                               .sources = origin.apt_sources};
  if (!origin.suite.empty()) source.suite = origin.suite;
  return source;
}

void add_path_origin(CLI::App& command, PathOrigin& origin) {
  command
      .add_option("--from", origin.caches,
                  "URL of a binary cache that has the paths, in place of the configured ones; repeatable")
      ->allow_extra_args(false);
  command
      .add_option("--trusted-key", origin.trusted_keys,
                  "public key to trust in addition to the configured ones; repeatable")
      ->allow_extra_args(false);
  command.add_option("--nix-store", origin.nix_root,
                     "root directory of another Nix store on this machine to take paths from first");
}

package::PathSource path_source(const PathOrigin& origin, const Config& config) {
  package::PathSource source{
      .nix_root = std::nullopt,
      .caches = {.caches = origin.caches.empty() ? readable_caches(config) : origin.caches,
                 .trusted_keys = nix::TrustedKeys(config.trusted_keys),
                 .trust_content_addressed = config.trust_content_addressed}};
  if (!origin.nix_root.empty()) source.nix_root = std::filesystem::absolute(origin.nix_root);
  for (const std::string& key : origin.trusted_keys)
    source.caches.trusted_keys.add(nix::PublicKey::parse(key));
  return source;
}

void add_import(CLI::App& app) {
  auto* import = app.add_subcommand("import", "Import packages from another package manager");
  import->require_subcommand(1);
  import->footer(
      "Examples:\n  flox import deb python3 --publish\n"
      "  flox import nix ./result --publish\n"
      "  flox import pypi httpie==3.2.2 --publish");
  add_import_deb(*import);
  add_import_nix(*import);
  add_import_lock(*import);
  add_import_pypi(*import);
  add_import_npm(*import);
}

}  // namespace flox::cli
