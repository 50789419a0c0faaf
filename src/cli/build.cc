// flox build: packages from a manifest's [build] section.
#include "package/build/build.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/os/process.h"
#include "cli/commands.h"
#include "cli/local_or_pod.h"
#include "cli/options.h"
#include "cli/project.h"
#include "cli/say.h"
#include "env/environment.h"
#include "env/profile.h"
#include "node/floxd/config.h"
#include "package/build/build_order.h"
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

// What the environment's packages add to builds.
class BuildEnvironment {
 public:
  BuildEnvironment(store::LocalStore& store, env::Environment& environment, const env::Manifest& manifest,
                   const package::Steps& steps)
      : store_(store), environment_(environment), manifest_(manifest) {
    if (manifest.install.empty() && manifest.vars.empty() && !manifest.json.contains("include")) return;
    lock_ = lock_to_read(environment, *make_resolver());
    packages_ = lock_->for_system(env::current_system());
    profile_ = present_profile_alone(environment, *lock_, mode_);
    steps(fmt::format("environment {} is present", environment.name()));
  }

  // One of the manifest's builds, with `builds` made before it.
  package::BuildRequest request(const std::string& name, std::map<std::string, nix::StorePath> builds) const {
    const env::BuildDescriptor& descriptor = manifest_.build.at(name);
    package::BuildRequest request{.project = environment_.directory(),
                                  .name = name,
                                  .descriptor = descriptor,
                                  .environment = variables(descriptor.sandbox == "pure"),
                                  .packages = {},
                                  .profile = profile_,
                                  .builds = std::move(builds)};
    for (const env::LockedPackage& package : packages_)
      for (const auto& path : package.store_paths()) request.packages.push_back(path);
    if (profile_)
      for (const char* mode : {"dev", "run"})
        request.run_links.push_back(environment_.run_link(env::current_system(), mode));
    add_runtime(name, descriptor, request);
    return request;
  }

 private:
  // $FLOX_ENV is the profile's store path, so that what names it goes on to lead there in the result.
  env::Variables variables(bool pure) const {
    env::Variables before = pure ? env::Variables{} : environment_for_children();
    const fs::path project = pure ? fs::path(package::pure_project) : environment_.directory();
    if (pure) before.insert({{"HOME", std::string(package::pure_home)}, {"PATH", "/usr/bin:/bin"}});
    if (profile_)
      return env::activate({.name = environment_.name(),
                            .profile_link = profile_->to_string(),
                            .profile = store_.real_path(*profile_),
                            .project = project,
                            .cache = pure ? fs::path(package::pure_home) / ".cache"
                                          : environment_.directory() / ".flox/cache",
                            .mode = mode_,
                            .environment = std::move(before)})
          .environment;
    before["FLOX_ENV_PROJECT"] = project.string();
    return before;
  }

  // What the result may refer to: its runtime-packages, by default those of the group "toplevel". If these
  // are not all, the profile of them takes the place of the whole environment's.
  void add_runtime(const std::string& name, const env::BuildDescriptor& descriptor,
                   package::BuildRequest& request) const {
    if (!lock_) {
      if (!descriptor.runtime_packages.empty()) refuse_runtime(name, descriptor.runtime_packages.front());
      return;
    }
    std::set<std::string> wanted(descriptor.runtime_packages.begin(), descriptor.runtime_packages.end());
    if (wanted.empty())
      for (const env::LockedPackage& package : packages_)
        if (package.group == "toplevel") wanted.insert(package.install_id);
    for (const std::string& id : descriptor.runtime_packages) {
      const auto package = std::ranges::find(packages_, id, &env::LockedPackage::install_id);
      if (package == packages_.end() || package->group != "toplevel") refuse_runtime(name, id);
    }
    env::Lockfile lock = *lock_;
    std::erase_if(lock.packages, [&](const auto& package) { return !wanted.contains(package.install_id); });
    if (lock.packages.size() == lock_->packages.size()) return;
    request.runtime_profile = env::build_profile(store_, lock, env::current_system(), mode_).path;
    for (const env::LockedPackage& package : packages_)
      if (wanted.contains(package.install_id))
        for (const auto& path : package.store_paths()) request.runtime_packages.insert(path);
  }

  [[noreturn]] void refuse_runtime(const std::string& name, const std::string& id) const {
    throw Error(
        ErrorKind::invalid_input,
        fmt::format(
            "{}: [build.{}] runtime-packages names '{}', which the environment does not install in the "
            "group toplevel",
            manifest_.place_of("build." + name + ".runtime-packages"), name, id),
        fmt::format("Run 'flox install {}', or take it out of the list.", id));
  }

  store::LocalStore& store_;
  env::Environment& environment_;
  const env::Manifest& manifest_;
  const std::string mode_ = "dev";
  std::optional<env::Lockfile> lock_;
  std::vector<env::LockedPackage> packages_;
  std::optional<nix::StorePath> profile_;
};

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
  package::Steps steps(options.quiet || verbosity() == Verbosity::quiet);
  env::Environment environment = project_of(fs::weakly_canonical(options.directory));
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
  const BuildEnvironment around(store, environment, manifest, steps);
  package::BuildCircumstances circumstances{.sources = package::look_at_sources(environment.directory()),
                                            .variables = manifest.vars,
                                            .builder = options.builder};
  nlohmann::json json = nlohmann::json::array();
  std::map<std::string, nix::StorePath> made;
  for (const auto& name : package::build_order(manifest.build, options.names)) {
    std::map<std::string, nix::StorePath> used;
    for (const auto& other : package::builds_used_by(manifest.build, name))
      used.emplace(other, made.at(other));
    package::BuildRequest request = around.request(name, std::move(used));
    request.debian.on_step = steps;
    request.on_access = [](std::string_view line) { say("{}\n", line); };
    steps(fmt::format("building {}", name));
    circumstances.started_at = std::time(nullptr);
    catalog::PackageBuild result = package::build_package(store, request);
    if (options.check) check_again(store, request, result, steps);
    package::leave_provenance(environment.directory(), name,
                              package::describe_build(store, request, result, circumstances));
    package::leave_result(store, environment.directory(), result);
    made.emplace(name, result.outputs.at("out"));
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
  offer_builds(command->add_option("NAME", options->names, "packages to build (default: all)"));
  add_directory(*command, options->directory);
  command->add_flag("--check", options->check, "build twice and fail if the results differ");
  command->add_flag("--json", options->json, "print what was built as JSON");
  command->add_flag("-q,--quiet", options->quiet, "print no progress");
  command->add_option("--builder", options->builder,
                      "URI that the provenance names as the builder (default: of this host)");
  command->footer(
      "Runs the command of each build in the environment, in the project's directory, with $out set to an\n"
      "empty directory, and makes a store path of what the command leaves there. ${OTHER} in a command is\n"
      "where the build OTHER is, which is built first. What the command sees is the sandbox's: \"off\" this\n"
      "machine; \"warn\" too, and files that are not of the environment are named; \"enforce\" the project, "
      "its\n"
      "packages, sandbox-allow and the network; \"pure\" a copy of its sources and its packages.\n"
      "Writes result-NAME (a link to the files), result-NAME.json and\n"
      "result-NAME.provenance.json (for flox publish) and result-NAME.log (the command's output).\n\n"
      "Examples:\n"
      "  flox build\n"
      "  flox build hello --check");
  command->callback([options] { build(*options); });
}

}  // namespace flox::cli
