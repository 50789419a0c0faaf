// flox build: packages from a manifest's [build] section.
#include "package/build/build.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/process.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "env/environment.h"
#include "node/floxd/config.h"
#include "package/build/build_record.h"
#include "package/build/sources.h"
#include "package/build/steps.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct BuildOptions {
  std::vector<std::string> names;
  std::string directory = ".";
  bool check = false;
  bool json = false;
  bool quiet = false;
  std::string builder;
};

// What the environment's packages add to a build: their paths, and the variables of its activation.
struct BuildEnvironment {
  env::Variables variables;
  std::vector<nix::StorePath> packages;
  std::map<std::string, nix::StorePathSet> by_install_id;
};

BuildEnvironment enter_environment(store::LocalStore& store, env::Environment& environment,
                                   const package::Steps& steps) {
  BuildEnvironment result{.variables = environment_for_children()};
  result.variables["FLOX_ENV_PROJECT"] = environment.directory().string();
  env::Manifest manifest = environment.manifest();
  if (manifest.install.empty()) {
    for (const auto& [name, value] : manifest.vars) result.variables[name] = value;
    return result;
  }
  const std::string system = env::current_system(), mode = "dev";
  env::Lockfile lock = lock_to_read(environment, *make_resolver());
  nix::StorePath profile = present_profile_alone(environment, lock, mode);
  steps(fmt::format("environment {} is present", environment.name()));
  for (const auto& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) {
      result.by_install_id[package.install_id].insert(path);
      result.packages.push_back(path);
    }
  result.variables = env::activate({.name = environment.name(),
                                    .profile_link = environment.run_link(system, mode),
                                    .profile = store.real_path(profile),
                                    .project = environment.directory(),
                                    .cache = environment.directory() / ".flox/cache",
                                    .mode = mode,
                                    .environment = result.variables})
                         .environment;
  return result;
}

nix::StorePathSet runtime_packages(const BuildEnvironment& around, const env::BuildDescriptor& descriptor,
                                   const std::string& name) {
  nix::StorePathSet result;
  for (const auto& id : descriptor.runtime_packages) {
    auto found = around.by_install_id.find(id);
    if (found == around.by_install_id.end())
      fail(ErrorKind::invalid_input,
           "build.{}: runtime-packages names '{}', which the environment does not install", name, id);
    result.insert(found->second.begin(), found->second.end());
  }
  return result;
}

void check_again(store::LocalStore& store, const package::BuildRequest& request,
                 const catalog::PackageBuild& first, const package::Steps& steps) {
  steps(fmt::format("building {} again, to compare", first.name));
  auto second = package::build_package(store, request);
  const auto& a = first.outputs.at("out");
  const auto& b = second.outputs.at("out");
  if (a == b) return steps(fmt::format("{}: both builds gave the same store path", first.name));
  auto places = package::differences(store, a, b);
  size_t shown = std::min<size_t>(places.size(), 10);
  throw Error(
      ErrorKind::conflict,
      fmt::format("building {} twice gave different results, {} and {}; they differ in {} place{}:\n  {}",
                  first.name, a.to_string(), b.to_string(), places.size(), places.size() == 1 ? "" : "s",
                  fmt::join(places.begin(), places.begin() + static_cast<ptrdiff_t>(shown), "\n  ")),
      "Look for times, random names or unsorted lists that the command writes; SOURCE_DATE_EPOCH is set for "
      "it.");
}

void build(BuildOptions options) {
  package::Steps steps(options.quiet);
  auto environment = env::Environment::open(fs::weakly_canonical(options.directory));
  env::Manifest manifest = environment.manifest();
  if (manifest.build.empty())
    throw Error(ErrorKind::not_found, fmt::format("environment {} has nothing to build", environment.name()),
                "Add a [build.NAME] section with a command to its manifest.toml.");
  if (options.names.empty())
    for (const auto& [name, descriptor] : manifest.build) options.names.push_back(name);
  for (const auto& name : options.names)
    if (!manifest.build.contains(name)) {
      std::vector<std::string> known;
      for (const auto& [other, descriptor] : manifest.build) known.push_back(other);
      throw Error(ErrorKind::not_found, fmt::format("the manifest has no [build.{}]", name),
                  fmt::format("Pass one of: {}.", fmt::join(known, ", ")));
    }
  // Two builds at once would write to one result-NAME.
  const env::EnvironmentLock turn = environment.exclusive(changing(environment, "flox build"));
  store::LocalStore store(Config::load().root);
  BuildEnvironment around = enter_environment(store, environment, steps);
  package::BuildCircumstances circumstances{.sources = package::look_at_sources(environment.directory()),
                                            .variables = manifest.vars,
                                            .builder = options.builder};
  nlohmann::json json = nlohmann::json::array();
  for (const auto& name : options.names) {
    const auto& descriptor = manifest.build.at(name);
    package::BuildRequest request{.project = environment.directory(),
                                  .name = name,
                                  .descriptor = descriptor,
                                  .environment = around.variables,
                                  .packages = around.packages,
                                  .runtime_packages = runtime_packages(around, descriptor, name),
                                  .debian = {.on_step = steps}};
    steps(fmt::format("building {}", name));
    circumstances.started_at = std::time(nullptr);
    catalog::PackageBuild result = package::build_package(store, request);
    if (options.check) check_again(store, request, result, steps);
    package::leave_provenance(environment.directory(), name,
                              package::describe_build(store, request, result, circumstances));
    package::leave_result(store, environment.directory(), result);
    steps(fmt::format("built {} {}: {}", name, result.version, result.outputs.at("out").to_string()));
    json.push_back(result.to_json());
    if (!options.json) fmt::print("{}\n", (environment.directory() / ("result-" + name)).string());
  }
  if (options.json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

void add_build(CLI::App& app) {
  auto* command = app.add_subcommand("build", "Build the packages of the manifest's [build] section");
  auto options = std::make_shared<BuildOptions>();
  command->add_option("NAME", options->names, "packages to build (default: all)");
  add_directory(*command, options->directory);
  command->add_flag("--check", options->check, "build twice and fail if the results differ");
  command->add_flag("--json", options->json, "print what was built as JSON");
  command->add_flag("-q,--quiet", options->quiet, "print no progress");
  command->add_option("--builder", options->builder,
                      "URI that the provenance names as the builder (default: of this host)");
  command->footer(
      "Runs the command of each build in the environment, in the project's directory, with $out set to an\n"
      "empty directory, and makes a store path of what the command leaves there. Writes result-NAME (a link\n"
      "to the files), result-NAME.json and result-NAME.provenance.json (for flox publish) and "
      "result-NAME.log\n"
      "(the command's output).\n\n"
      "Examples:\n"
      "  flox build\n"
      "  flox build hello --check");
  command->callback([options] { build(*options); });
}

}  // namespace flox::cli
