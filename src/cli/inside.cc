#include "cli/inside.h"

#include <unistd.h>

#include "activation/hook.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "base/os/process.h"
#include "cli/local_or_pod.h"
#include "cli/say.h"
#include "cli/variables.h"
#include "env/manifest_edit.h"
#include "env/references.h"
#include "nix/base32.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

// Of a build of an environment while its hook runs: what the hook starts waits for no hook.
constexpr const char* hook_variable = "_FLOX_HOOK_OF";

bool is_own(const fs::path& directory) {
  std::error_code error;
  return fs::is_directory(fs::symlink_status(directory, error)) && !why_not_own(directory);
}

// .flox/NAME, or a directory of the user's own where that cannot be written (a pod's read-only volume) or is
// somebody else's, who could put there what this user's hooks then read or run.
fs::path own_directory(const fs::path& project, const std::string& name, std::string_view otherwise) {
  std::error_code error;
  const fs::path files = fs::canonical(project / ".flox", error), directory = files / name;
  if (!error && is_own(files)) {
    fs::create_directory(directory, error);
    if (is_own(directory) && ::access(directory.c_str(), W_OK) == 0) return directory;
  }
  const std::string hash = nix::to_base32(bytes_of(sha256(project.native())));
  const fs::path own = user_cache_directory(otherwise) / hash.substr(0, 16);
  fs::create_directory(own);
  return own;
}

// The link to the profile where it is this user's and leads to this profile; otherwise the profile itself,
// which nobody can change.
fs::path link_to(const env::Environment& environment, const nix::StorePath& profile,
                 const std::string& mode) {
  const fs::path link = environment.run_link(env::current_system(), mode);
  std::error_code error;
  return is_own(link.parent_path()) && fs::read_symlink(link, error) == profile.to_string()
             ? link
             : fs::path(profile.to_string());
}

// The lock to activate: the environment's own, or with its primary package at $FLOX_PACKAGE_VERSION.
env::Lockfile lock_to_activate(const env::Environment& environment, env::Resolver& resolver) {
  env::Lockfile lock = lock_to_read(environment, resolver);
  const std::string version = CliVariables::read().package_version;
  if (version.empty()) return lock;
  say("ℹ FLOX_PACKAGE_VERSION: environment '{}' at version {}\n", environment.name(), version);
  return env::with_primary_version(lock, environment.name(), version, env::current_system(), resolver);
}

// The environment of a pod that brings none: the one that the node gives the pod's namespace, made in a
// directory of its own. Nothing if the node gives none.
std::optional<env::Environment> namespace_environment() {
  const std::string reference = namespace_default();
  if (reference.empty()) return std::nullopt;
  const auto [name, descriptor] = env::parse_package(reference);
  const fs::path directory = user_cache_directory("namespace");
  FileLock turn(directory / "lock", FileLock::Mode::exclusive);  // a probe may activate at the same time
  auto environment = fs::exists(directory / ".flox") ? env::Environment::open(directory)
                                                     : env::Environment::init(directory, name);
  if (!environment.manifest().install.contains(name))
    environment.edit(env::with_install(environment.manifest_text(), name, descriptor), *make_resolver());
  say("ℹ using '{}', the environment that this node gives the pod's namespace\n", reference);
  return environment;
}

// What an activation refuses of the manifest is said with its place there.
template <typename Body>
auto with_places(const env::Environment& environment, const env::Lockfile& lock, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input) throw;
    env::Manifest merged = env::Manifest::from_json(lock.manifest);
    merged.places = environment.manifest().places;
    env::refuse_unusable(merged);
    throw;
  }
}

std::string hook_mark(const Inside& inside) { return inside.key.profile + " " + inside.key.mode; }

bool is_in_own_hook(const Inside& inside) {
  const auto mark = inside.before.find(hook_variable);
  return mark != inside.before.end() && mark->second == hook_mark(inside);
}

// What the hook does becomes part of the environment.
void run_hook(Inside& inside) {
  if (!inside.activation.has_hook) return;
  env::Variables& variables = inside.activation.environment;
  variables[hook_variable] = hook_mark(inside);
  variables = activation::run_hook(fs::path(inside.profile()) / "activate.d/hook-on-activate", variables);
  variables.erase(hook_variable);
}

// Without a keeper. What a hook has done for a process above is in this one's environment.
void enter_alone(Inside& inside) {
  if (!inside.activation.hook_has_run) return run_hook(inside);
  for (const std::string& name : inside.activation.vars)
    if (const auto kept = inside.before.find(name); kept != inside.before.end())
      inside.activation.environment[name] = kept->second;
}

void say_stopping() { say("ℹ waiting for the services of the activation before this one to stop\n"); }

}  // namespace

env::Services services_of_profile(const fs::path& profile) {
  constexpr size_t most = 8 << 20;  // bytes
  if (!env::profile_has(profile, "activate.d/services.json")) return {};
  return env::parse_services(env::read_profile_file(profile, "activate.d/services.json", most));
}

fs::path keeper_directory_of(const fs::path& project) {
  return activation::keeper_directory(project, in_pod() ? fs::path("/") : Config::load().root);
}

fs::path logs_of(const fs::path& project) { return own_directory(project, "log", "logs"); }

activation::KeeperPlace Inside::place() const {
  const activation::KeeperPlace place{.directory = keeper_directory_of(project), .logs = logs_of(project)};
  const Directory logs(place.logs);
  for (const char* kind : {"services", "hooks"}) logs.make_directory(kind, 0700);
  return place;
}

env::Environment environment_to_activate(const std::string& directory) {
  bool found_below = false;
  try {
    env::Environment environment = env::Environment::find(directory, &found_below);
    if (found_below)
      say("ℹ using the environment in {}: the only one here\n", environment.directory().string());
    return environment;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found || !in_pod() || directory != ".") throw;
    if (auto environment = namespace_environment()) return *environment;
    throw;
  }
}

Inside prepare_inside(const env::Environment& environment, std::string mode, const std::string& doing,
                      const std::optional<fs::path>& works_on, bool add_sbin) {
  auto resolver = make_resolver();
  const env::Lockfile lock = lock_to_activate(environment, *resolver);
  // The lock's manifest has what is included, too.
  if (mode.empty()) mode = env::Manifest::from_json(lock.manifest).activate_mode;
  if (mode != "dev" && mode != "run")
    fail(ErrorKind::invalid_input, "activation mode '{}': it is dev or run", mode);
  const nix::StorePath profile =
      with_places(environment, lock, [&] { return present_profile(environment, lock, mode, doing); });

  fs::path cwd = fs::current_path();
  if (!in_pod()) env::enter_store(Config::load().root);
  fs::current_path(cwd);
  env::ActivationRequest request{.name = environment.name(),
                                 .profile_link = link_to(environment, profile, mode),
                                 .profile = profile.to_string(),
                                 .project = works_on.value_or(environment.directory()),
                                 .cache = own_directory(environment.directory(), "cache", "environments"),
                                 .mode = mode,
                                 .environment = environment_for_children(),
                                 .add_sbin = add_sbin};
  return {.project = environment.directory(),
          .name = environment.name(),
          .key = {.profile = profile.to_string(), .mode = mode},
          .activation = with_places(environment, lock, [&] { return env::activate(request); }),
          .before = request.environment,
          .services = services_of_profile(request.profile),
          .has_deactivate_hook = env::profile_has(request.profile, "activate.d/hook-on-deactivate")};
}

activation::Request services_request(activation::Request::Kind kind, const Inside& inside,
                                     std::vector<std::string> names) {
  return {.kind = kind,
          .key = inside.key,
          .environment = inside.activation.environment,
          .cwd = fs::current_path().string(),
          .services = inside.services,
          .names = std::move(names)};
}

std::optional<activation::KeeperClient> enter(Inside& inside, pid_t pid, bool linger) {
  const bool must_keep = !inside.services.by_name.empty();
  // In a pod a hook alone is not worth a process that stays.
  const bool keeps = must_keep || inside.has_deactivate_hook || (inside.activation.has_hook && !in_pod());
  if (is_in_own_hook(inside)) return std::nullopt;
  if (!keeps) {
    enter_alone(inside);
    return std::nullopt;
  }
  activation::Request request{
      .kind = activation::Request::Kind::begin, .key = inside.key, .pid = pid, .linger = linger};
  std::optional<activation::Begun> begun;
  try {
    begun.emplace(activation::begin(inside.place(), request, say_stopping));
  } catch (const Error& error) {
    if (must_keep) throw error.with_context("beginning an activation with services");
    if (inside.has_deactivate_hook) say("⚠ hook.on-deactivate will not run: {}\n", error.what());
    log::debug("activating without a keeper: {}", error.what());
    enter_alone(inside);
    return std::nullopt;
  }
  if (!begun->answer.run_hook) {
    activation::apply(begun->answer.changes, inside.activation.environment);
    return std::move(begun->client);
  }
  const env::Variables before = inside.activation.environment;
  run_hook(inside);
  request = {.kind = activation::Request::Kind::ready,
             .key = inside.key,
             .changes = activation::changes_between(before, inside.activation.environment),
             .environment = inside.activation.environment,
             .cwd = fs::current_path().string()};
  begun->client.ask(request);
  return std::move(begun->client);
}

}  // namespace flox::cli
