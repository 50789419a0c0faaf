// flox import pypi: distributions of a Python index, into the catalog.
#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "cli/import/commands.h"
#include "package/build/steps.h"
#include "package/python/import_pypi.h"

namespace flox::cli {
namespace {

struct ImportPypiOptions {
  std::string wanted;
  std::vector<std::string> pins;
  std::string name;
  std::string index = package::default_python_index;
  DebianOrigin debian;
  ImportResults results;
};

void import_pypi_project(const ImportPypiOptions& options) {
  package::Steps steps(options.results.quiet);
  package::PypiImport import{
      .wanted = package::PythonRequirement::parse(options.wanted),
      .pins = {},
      .name = options.name,
      .index = options.index,
      .debian = {.download_cache = {}, .on_step = steps, .source = debian_source(options.debian)},
      .command = "flox import pypi " + options.wanted,
      .with_provenance = options.results.publish,
      .run_programs = !options.results.no_smoke_run};
  if (!import.wanted.marker.empty())
    fail_usage(fmt::format("'{}' has a condition", options.wanted),
               "Write NAME==VERSION, or NAME[EXTRA]==VERSION.");
  for (const std::string& pin : options.pins) {
    import.pins.push_back(package::PythonRequirement::parse(pin));
    import.command += " --with " + pin;
  }
  ImportResultWriter writer(options.results);
  store::LocalStore store(Config::load().root);
  writer.write(store, package::import_pypi(store, import));
  writer.finish();
}

}  // namespace

void add_import_pypi(CLI::App& import) {
  auto options = std::make_shared<ImportPypiOptions>();
  auto* pypi = import.add_subcommand("pypi", "Import a distribution of PyPI with all that it needs");
  pypi->add_option(
          "NAME==VERSION", options->wanted,
          "the distribution; NAME[EXTRA]==VERSION with what an extra needs, NAME for the newest version")
      ->required();
  pypi->add_option("--with", options->pins, "version of one that it needs, as urllib3==2.2.1; repeatable")
      ->allow_extra_args(false);
  pypi->add_option("--name", options->name, "name of the package (default: the distribution's)");
  pypi->add_option("--index", options->index, "URL of an index that speaks JSON (PEP 691)")
      ->capture_default_str();
  add_debian_origin(*pypi, options->debian);
  add_result_options(*pypi, options->results);
  pypi->footer(
      "Wheels are taken by the hash that the index says; sources are not compiled. Each becomes a store "
      "path, "
      "which\n"
      "packages share. The interpreter is Debian's python3. --json lists what was taken, for --with.\n\n"
      "Examples:\n"
      "  flox import pypi httpie==3.2.2 --publish\n"
      "  flox import pypi 'uvicorn[standard]==0.30.0' --with httptools==0.6.1");
  pypi->callback([options] { import_pypi_project(*options); });
}

}  // namespace flox::cli
