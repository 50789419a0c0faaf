// flox import nix: store paths that Nix made, into the catalog.
#include <fmt/format.h>

#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/net/url.h"
#include "cli/import/commands.h"
#include "package/nix/flake.h"

namespace flox::cli {
namespace {

struct ImportNixOptions {
  std::string what;
  std::vector<std::string> outputs;  // NAME=PATH
  catalog::PackageBuild build;       // what is given of it
  PathOrigin origin;
  ImportResults results;
};

// "dev=/nix/store/…": further outputs of the package.
void add_outputs(catalog::PackageBuild& build, const std::vector<std::string>& outputs) {
  for (const std::string& text : outputs) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      fail_usage(fmt::format("--output {}: it names no output", text),
                 "Write NAME=PATH, as dev=/nix/store/….");
    if (!build.outputs.emplace(text.substr(0, equals), package::store_path_meant(text.substr(equals + 1)))
             .second)
      fail_usage(fmt::format("--output {}: that output is given twice", text), "Name each output once.");
  }
}

// What is not given is what the flake or the path's name says.
void complete(catalog::PackageBuild& build, const package::FlakeOutput& said) {
  const auto out = build.outputs.find("out");
  const auto split =
      package::split_store_name((out == build.outputs.end() ? build.outputs.begin() : out)->second.name());
  const auto take = [](std::string& text, const std::string& first, const std::string& second) {
    if (text.empty()) text = first.empty() ? second : first;
  };
  take(build.name, said.name, split.name);
  take(build.version, said.version, split.version);
  take(build.description, said.description, "");
  take(build.license, package::recorded_license(said.license), "");
  take(build.system, said.system, package::system_of_this_machine());
  if (build.version.empty())
    fail_usage(fmt::format("the name of {} has no version", build.outputs.begin()->second.to_string()),
               "Pass --version.");
}

void import_nix(const ImportNixOptions& options) {
  const Config config = Config::load();
  const package::PathSource source = path_source(options.origin, config);
  package::PathImport import{.build = options.build,
                             .command = "flox import nix " + hide_login(options.what),
                             .run_programs = !options.results.no_smoke_run,
                             .with_provenance = options.results.publish};
  package::FlakeOutput said;
  ImportResultWriter writer(options.results);
  if (package::is_flake_reference(options.what)) {
    said = package::build_flake_output(options.what,
                                       source.nix_root.value_or(std::filesystem::absolute(config.root)));
    import.build.outputs = said.outputs;
  } else {
    import.build.outputs.emplace("out", package::store_path_meant(options.what));
  }
  add_outputs(import.build, options.outputs);
  complete(import.build, said);
  // The catalog's own rules for names, before anything is fetched.
  import.build = catalog::PackageBuild::from_json(import.build.to_json());
  store::LocalStore store(config.root);
  nix::StorePathSet paths;
  for (const auto& [output, path] : import.build.outputs) paths.insert(path);
  package::obtain_paths(store, paths, source);
  writer.write(store, package::import_paths(store, import, source));
  writer.finish();
}

}  // namespace

void add_import_nix(CLI::App& import) {
  auto options = std::make_shared<ImportNixOptions>();
  auto* nix = import.add_subcommand("nix", "Import store paths that Nix built");
  nix->add_option("PATH", options->what,
                  "a store path, a link to one (result), or an output of a flake (FLAKE#NAME)")
      ->required();
  nix->add_option("--output", options->outputs,
                  "a further output of the package, as dev=/nix/store/…; repeatable")
      ->allow_extra_args(false);
  nix->add_option("--name", options->build.name, "name of the package (default: as the path's name says)");
  nix->add_option("--version,--package-version", options->build.version,
                  "version of the package (default: as the path's name says)");
  nix->add_option("--description", options->build.description, "description of the package");
  nix->add_option("--license", options->build.license, "licence of the package, as an SPDX expression");
  nix->add_option("--system", options->build.system,
                  "system that the path is for, as aarch64-linux (default: this machine's)");
  add_path_origin(*nix, options->origin);
  add_result_options(*nix, options->results);
  nix->footer(
      "The closure comes from this store, from --nix-store, or from a binary cache, whose signatures must be "
      "those of\n"
      "trusted keys. --publish signs it with your own key. An output of a flake needs nix in PATH, which "
      "evaluates\n"
      "and builds it.\n\n"
      "Examples:\n"
      "  flox import nix ./result --publish\n"
      "  flox import nix /nix/store/…-jq-1.7.1 --from https://cache.nixos.org \\\n"
      "    --trusted-key cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY= --publish\n"
      "  flox import nix nixpkgs#jq --publish");
  nix->callback([options] { import_nix(*options); });
}

}  // namespace flox::cli
