// flox import npm: packages of npm, into the catalog.
#include <memory>

#include "cli/import/commands.h"
#include "package/build/steps.h"
#include "package/npm/import_npm.h"

namespace flox::cli {
namespace {

struct ImportNpmOptions {
  std::string wanted;
  std::vector<std::string> pins;
  std::string name;
  std::string registry = package::default_npm_registry;
  DebianOrigin debian;
  ImportResults results;
};

void import_npm_package(const ImportNpmOptions& options) {
  package::Steps steps(options.results.quiet);
  const package::NpmWanted wanted = package::npm_wanted(options.wanted);
  package::NpmImport import{
      .wanted = wanted.name,
      .spec = wanted.spec,
      .pins = {},
      .name = options.name,
      .registry = options.registry,
      .debian = {.download_cache = {}, .on_step = steps, .source = debian_source(options.debian)},
      .command = "flox import npm " + options.wanted,
      .with_provenance = options.results.publish,
      .run_programs = !options.results.no_smoke_run};
  for (const std::string& text : options.pins) {
    const package::NpmWanted pin = package::npm_wanted(text);
    import.pins.emplace(pin.name, pin.spec);
    import.command += " --with " + text;
  }
  ImportResultWriter writer(options.results);
  store::LocalStore store(Config::load().root);
  writer.write(store, package::import_npm(store, import));
  writer.finish();
}

}  // namespace

void add_import_npm(CLI::App& import) {
  auto options = std::make_shared<ImportNpmOptions>();
  auto* npm = import.add_subcommand("npm", "Import a package of npm with all that it needs");
  npm->add_option("NAME@VERSION", options->wanted, "the package; NAME for the version that is tagged latest")
      ->required();
  npm->add_option("--with", options->pins, "version of one that it needs, as semver@7.6.2; repeatable")
      ->allow_extra_args(false);
  npm->add_option("--name", options->name, "name of the package (default: npm's; scope-name of @scope/name)");
  npm->add_option("--registry", options->registry, "URL of a registry that npm can use")
      ->capture_default_str();
  add_debian_origin(*npm, options->debian);
  add_result_options(*npm, options->results);
  npm->footer(
      "Tarballs are taken by the SHA-512 that the registry says. Each package becomes a store path, which "
      "others "
      "share.\n"
      "No install script is run, and nothing is compiled. The interpreter is Debian's nodejs. --json lists "
      "what "
      "was\n"
      "taken, for --with.\n\n"
      "Examples:\n"
      "  flox import npm prettier@3.3.2 --publish\n"
      "  flox import npm @redocly/cli@1.16.0 --name redocly");
  npm->callback([options] { import_npm_package(*options); });
}

}  // namespace flox::cli
