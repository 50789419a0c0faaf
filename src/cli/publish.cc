// flox publish: signs and publishes what `flox build` made, or any store path.
#include "catalog/publish.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/publishing.h"
#include "cli/say.h"
#include "env/environment.h"
#include "node/floxd/config.h"
#include "package/build/build_record.h"
#include "package/build/out_paths.h"

namespace flox::cli {
namespace {

struct PublishOptions {
  std::vector<std::string> names;
  std::string directory = ".";
  std::string store_path;
  catalog::PackageBuild build;
  PublishTo to;
};

// Builds left by flox build: result-NAME.json beside the manifest. Without names, all of them.
std::vector<catalog::PackageBuild> left_by_build(const PublishOptions& options, const fs::path& directory) {
  std::vector<std::string> names = options.names;
  if (names.empty())
    for (const auto& [name, build] : env::Environment::open(directory).manifest().build)
      names.push_back(name);
  std::vector<catalog::PackageBuild> builds;
  for (const auto& name : names) {
    fs::path record = directory / ("result-" + name + ".json");
    if (!fs::exists(record))
      throw Error(
          ErrorKind::not_found,
          fmt::format("'{}' has not been built in {}", name, fs::weakly_canonical(directory).string()),
          fmt::format("Run 'flox build {}' first.", name));
    builds.push_back(in_context(record.string(), [&] {
      constexpr size_t most = 1 << 20;  // bytes
      return catalog::PackageBuild::from_json(
          parse_json(Directory(directory).read_file(record.filename().string(), most), "result"));
    }));
  }
  if (builds.empty())
    throw Error(ErrorKind::invalid_input, "there is nothing to publish: the manifest has no [build] section",
                "Run 'flox build --help' to see how packages are built.");
  return builds;
}

catalog::PackageBuild of_store_path(const PublishOptions& options) {
  catalog::PackageBuild build = options.build;
  auto path = nix::StorePath::containing(options.store_path);
  if (build.name.empty() || build.version.empty())
    fail_usage("publishing a store path needs its name and version", "Pass --name and --version.");
  build.system = env::current_system();
  build.outputs.emplace("out", path);
  return build;
}

// Scripts that only this machine can run, of a build; links are looked at as the path is uploaded.
void require_scripts_that_run(const store::LocalStore& store, const catalog::PackageBuild& build) {
  in_context("publishing " + build.name, [&] {
    for (const auto& [output, path] : build.outputs) {
      std::vector<std::string> closure;
      for (const nix::StorePath& needed : store.closure({path})) closure.push_back(needed.to_string());
      package::require_shebangs_inside(store.real_path(path), closure);
    }
  });
}

void publish_all(const PublishOptions& options) {
  std::vector<catalog::PackageBuild> builds;
  fs::path directory;  // of the environment
  if (!options.store_path.empty()) {
    builds.push_back(of_store_path(options));
  } else {
    directory = env::Environment::find(fs::weakly_canonical(options.directory)).directory();
    builds = left_by_build(options, directory);
  }
  if (builds.size() > 1 && (!options.to.prepare.empty() || !options.to.signed_files.empty()))
    fail_usage("--prepare and --signed are of one build at a time", "Name the build.");
  store::LocalStore store(Config::load().root);
  if (options.store_path.empty())
    for (const auto& build : builds) require_scripts_that_run(store, build);
  Publisher publisher(options.to);
  for (const auto& build : builds) {
    const auto provenance =
        options.store_path.empty() ? package::find_provenance(store, directory, build) : std::nullopt;
    publisher.publish(store, build, provenance);
    if (!provenance) say("  without provenance: flox build recorded none of it\n");
  }
}

}  // namespace

void add_publish(CLI::App& app) {
  auto options = std::make_shared<PublishOptions>();
  auto* command = app.add_subcommand("publish", "Sign built packages and publish them to the catalog");
  offer_builds(
      command->add_option("NAME", options->names, "builds to publish (default: all of the manifest)"));
  add_directory(*command, options->directory);
  auto* path =
      command->add_option("--store-path", options->store_path, "publish this store path, not a build");
  command->add_option("--name", options->build.name, "name of the store path's package")->needs(path);
  command
      ->add_option("--version,--package-version", options->build.version,
                   "version of the store path's package")
      ->needs(path);
  command->add_option("--description", options->build.description, "description of the store path's package")
      ->needs(path);
  command->add_option("--variant", options->build.variant, "CPU level that it needs, as x86-64-v3")
      ->needs(path);
  add_publish_options(*command, options->to);
  add_prepare_options(*command, options->to.prepare, options->to.signed_files);
  command->footer(
      "Examples:\n  flox build && flox publish --signing-private-key ~/.config/flox/key\n"
      "  flox publish --store-path /nix/store/…-web --name web --version 1.0");
  command->callback([options] { publish_all(*options); });
}

}  // namespace flox::cli
