// flox import deb: Debian packages as store paths, and into the catalog.
#include <memory>

#include "cli/import/commands.h"
#include "package/build/steps.h"
#include "package/debian/import_deb.h"

namespace flox::cli {
namespace {

struct ImportDebOptions {
  std::vector<std::string> names;
  DebianOrigin debian;
  ImportResults results;
};

void import_debs(const ImportDebOptions& options) {
  package::Steps steps(options.results.quiet);
  std::vector<package::WantedPackage> wanted;
  for (const auto& name : options.names) wanted.push_back(package::WantedPackage::parse(name));
  store::LocalStore store(Config::load().root);
  const package::ImportOptions import{
      .debian = {.download_cache = {}, .on_step = steps, .source = debian_source(options.debian)},
      .with_provenance = options.results.publish,
      .run_programs = !options.results.no_smoke_run};
  ImportResultWriter writer(options.results);
  for (const auto& package : package::import_deb(store, wanted, import)) writer.write(store, package);
  writer.finish();
}

}  // namespace

void add_import_deb(CLI::App& import) {
  auto* deb = import.add_subcommand("deb", "Import Debian packages into the store");
  auto options = std::make_shared<ImportDebOptions>();
  deb->add_option("NAME", options->names,
                  "names of Debian packages; NAME=VERSION for one of several versions")
      ->required();
  add_debian_origin(*deb, options->debian);
  deb->add_flag("--installed", options->debian.installed,
                "import the files that are installed on this machine")
      ->excludes("--suite")
      ->excludes("--apt-sources");
  add_result_options(*deb, options->results);
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
