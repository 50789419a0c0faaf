#include "cli/local_or_pod.h"

#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "cli/catalog_access.h"
#include "cli/known_environments.h"
#include "cli/pod_client.h"
#include "cli/progress_line.h"
#include "cli/say.h"
#include "cli/variables.h"
#include "env/profile.h"
#include "node/floxd/config.h"
#include "store/gc/link_root.h"
#include "store/local/local_store.h"
#include "store/realise/realise.h"

namespace flox::cli {
namespace {

std::string pod_socket() { return CliVariables::read().pod_socket; }

// Realises into this machine's own store.
class LocalRealiser : public env::Realiser {
 public:
  nix::StorePath realise(const env::Lockfile& lock, std::string_view system, std::string_view mode) override {
    store::LocalStore store(Config::load().root);
    nix::StorePathSet paths;
    for (const auto& package : lock.for_system(system))
      for (const auto& path : package.store_paths()) paths.insert(path);
    make_present(store, paths);
    return env::build_profile(store, lock, system, mode).path;
  }
};

// Keeps what the environment's run link names from garbage collection. A store that this user may not write
// to is somebody else's, who keeps what they want.
void keep(const fs::path& run_link, const store::LocalStore* open_store = nullptr) {
  try {
    if (open_store != nullptr)
      store::keep_link(*open_store, run_link);
    else
      store::keep_link(store::LocalStore(Config::load().root), run_link);
  } catch (const Error& error) {
    log::debug("{} is not a GC root: {}", run_link.string(), error.what());
  }
}

// What the run link names, if it was built from this very lock and is still there; kept then, for the
// environment may have been moved.
std::optional<nix::StorePath> already_present(const fs::path& run_link, const env::Lockfile& lock) {
  std::error_code error;
  fs::path target = fs::read_symlink(run_link, error);
  if (error || !target.string().starts_with(nix::store_dir)) return std::nullopt;
  auto path = nix::StorePath::parse(target.string());
  store::LocalStore store(Config::load().root);
  if (!store.is_valid(path)) return std::nullopt;
  fs::path built_from = store.real_path(path) / "manifest.lock";
  if (!fs::exists(built_from) || read_file(built_from) != lock.to_compact_string()) return std::nullopt;
  keep(run_link, &store);
  return path;
}

// Asks nobody until there is a question: most commands find all that they need in the lock, and the catalog's
// client takes 5 ms to begin with, for libcurl and the thirty libraries that it loads.
class LateResolver : public env::Resolver {
 public:
  env::LockedPackage resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override {
    return resolver().resolve(install_id, descriptor, system);
  }
  std::vector<Answer> resolve_all(std::span<const env::PackageQuestion> questions) override {
    // Nobody is asked nothing.
    return questions.empty() ? std::vector<Answer>() : resolver().resolve_all(questions);
  }
  env::Lockfile included(const std::string& reference, std::optional<int64_t> generation) override {
    return resolver().included(reference, generation);
  }
  // A catalog may have all of them: it need not be there to say so.
  std::vector<std::string> systems() const override {
    return in_pod() ? resolver().systems() : env::Resolver::systems();
  }

 private:
  env::Resolver& resolver() const {
    if (!resolver_) resolver_ = made();
    return *resolver_;
  }
  static std::unique_ptr<env::Resolver> made() {
    if (in_pod()) return std::make_unique<PodResolver>(pod_socket());
    return verified_catalog(readable_token(Config::load()));
  }

  mutable std::unique_ptr<env::Resolver> resolver_;
};

// An environment may be for other systems alone.
bool is_for_others(const env::Lockfile& lock) {
  return !lock.packages.empty() && lock.for_system(env::current_system()).empty();
}

nix::StorePath realised_profile(const std::string& environment, const env::Lockfile& lock,
                                const std::string& mode) {
  return in_context(fmt::format("realising environment {}", environment),
                    [&] { return make_realiser()->realise(lock, env::current_system(), mode); });
}

env::EnvironmentLock::Waiting say_waiting(const env::Environment& environment) {
  return [name = environment.name()](const std::string& holder) {
    say("ℹ waiting for {}, which has environment '{}' to itself\n", holder, name);
  };
}

}  // namespace

void make_present(store::LocalStore& store, const nix::StorePathSet& paths) {
  const Config config = Config::load();
  store::RealiseOptions how{.caches = readable_caches(config),
                            .trusted_keys = nix::TrustedKeys(config.trusted_keys),
                            .trust_content_addressed = config.trust_content_addressed};
  ProgressLine line;
  if (line.shown()) how.on_progress = [&](const store::RealiseProgress& progress) { line.show(progress); };
  store::realise(store, paths, how);
}

bool in_pod() { return fs::exists(pod_socket()); }

std::string namespace_default() { return default_environment(pod_socket()); }

std::unique_ptr<env::Resolver> make_resolver() { return std::make_unique<LateResolver>(); }

std::unique_ptr<env::Realiser> make_realiser() {
  if (in_pod()) return std::make_unique<PodRealiser>(pod_socket());
  return std::make_unique<LocalRealiser>();
}

nix::StorePath present_profile_alone(const env::Environment& environment, const env::Lockfile& lock,
                                     const std::string& mode) {
  std::string system = env::current_system();
  fs::path run_link = environment.run_link(system, mode);
  if (!in_pod())
    if (auto present = already_present(run_link, lock)) return *present;
  const nix::StorePath profile = realised_profile(environment.name(), lock, mode);
  try {
    environment.set_run_link(system, mode, profile);
  } catch (const std::exception&) {
    // A read-only volume: the environment is activated from its store path.
    return profile;
  }
  if (!in_pod()) keep(run_link);
  return profile;
}

nix::StorePath present_profile(const env::Environment& environment, const env::Lockfile& lock,
                               const std::string& mode, const std::string& doing) {
  if (in_pod()) return present_profile_alone(environment, lock, mode);
  remember_environment(environment);
  const fs::path run_link = environment.run_link(env::current_system(), mode);
  if (auto present = already_present(run_link, lock)) return *present;
  std::optional<env::EnvironmentLock> turn;
  try {
    turn.emplace(environment.exclusive({.doing = doing, .waiting = say_waiting(environment)}));
  } catch (const Error& error) {
    // A directory that cannot be written to: nothing is written to it either.
    log::debug("building without the environment's lock: {}", error.what());
  }
  return present_profile_alone(environment, lock, mode);
}

void try_profile(const std::string& environment, const env::Lockfile& lock) {
  if (is_for_others(lock)) return;
  realised_profile(environment, lock, env::Manifest::from_json(lock.manifest).activate_mode);
}

env::ChangeContext writing(const env::Environment& environment, const std::string& doing) {
  return {.doing = doing, .waiting = say_waiting(environment), .prepare = {}, .anew = {}};
}

env::ChangeContext changing(const env::Environment& environment, const std::string& doing) {
  remember_environment(environment);
  env::ChangeContext context = writing(environment, doing);
  context.prepare = [environment](const env::Lockfile& lock) {
    if (is_for_others(lock)) return;
    present_profile_alone(environment, lock, env::Manifest::from_json(lock.manifest).activate_mode);
  };
  return context;
}

env::Lockfile lock_to_read(const env::Environment& environment, env::Resolver& resolver) {
  bool is_written = false;
  env::Lockfile lock = environment.current_lock(resolver, &is_written);
  if (!is_written && !lock.packages.empty())
    say("ℹ manifest.lock of environment '{}' was not made for its manifest.toml: packages are as resolved "
        "now. Run 'flox lock' to write them down.\n",
        environment.name());
  return lock;
}

}  // namespace flox::cli
