#include "catalog/signing.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/net/http_client.h"
#include "catalog/answer_verifier.h"
#include "trust/delegation.h"

namespace flox::catalog {
namespace {

// Of publishers that race one wins each time, so so many may race.
constexpr int most_attempts = 20;

trust::EnvironmentRecord record_of(const EnvironmentName& name, int64_t generation,
                                   const std::string& manifest, const env::Lockfile& lock) {
  return {.owner = name.owner,
          .name = name.name,
          .generation = static_cast<uint64_t>(generation),
          .manifest = manifest,
          .lock = lock.to_string()};
}

// Runs `attempt(version)` again while somebody else is quicker. It sets the version that it tries; a conflict
// is final if that has not moved on since the last attempt.
template <typename Attempt>
auto until_no_conflict(Attempt&& attempt) {
  uint64_t tried = 0;
  for (int count = 1;; ++count) {
    const uint64_t before = tried;
    try {
      return attempt(tried);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::conflict || tried == before || count == most_attempts) throw;
    }
  }
}

}  // namespace

MetadataSigner::MetadataSigner(std::string owner, const Signers& signers, trust::TrustStore& store,
                               Client& client)
    : owner_(std::move(owner)), signers_(signers), store_(store), client_(client), verifier_(store) {
  if (!store_.trusts(owner_))
    throw Error(ErrorKind::untrusted, fmt::format("signing for {}: its root is not trusted here", owner_),
                fmt::format("Run 'flox trust init {}' if {} is new, or 'flox trust accept {}'.", owner_,
                            owner_, owner_));
}

MetadataSigner::Present MetadataSigner::present(const std::string& name) {
  auto evidence = client_.evidence(owner_, name);
  if (!evidence)
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no root of {}", owner_),
                fmt::format("Run 'flox trust init {}', which publishes it.", owner_));
  evidence->owner = owner_;
  *evidence = with_newer_roots(std::move(*evidence), store_, [&](const std::string& owner, uint64_t version) {
    return client_.root(owner, version);
  });
  const trust::Time now = trust::now();
  const auto root = store_.update_root(owner_, evidence->roots, now);
  auto targets = trust::Signed<trust::Targets>::parse(evidence->targets, "targets.json");
  trust::require_signers(targets.message, targets.signatures, root.content.keys, root.content.targets,
                         "targets", "targets.json");
  trust::require_current(targets.content, now, "targets.json");
  if (targets.content.owner != owner_)
    fail(ErrorKind::untrusted, "targets.json is of {}, not of {}", targets.content.owner, owner_);
  return {.targets = std::move(targets.content), .evidence = std::move(*evidence)};
}

MetadataSigner::NameFile MetadataSigner::sign(const trust::Targets& targets, trust::NameFile file) const {
  const std::string name = file.name;
  const uint64_t version = file.version;
  auto signed_file = trust::Signed<trust::NameFile>::of(std::move(file));
  for (const trust::DelegatedRole* role : trust::roles_of(targets, name))
    if (trust::add_signatures(signed_file, targets.keys, *role, signers_) >= role->threshold)
      return {version, signed_file.to_string()};
  std::vector<std::string> held;
  for (const auto& signer : signers_) held.push_back(signer->description());
  const std::string allowed = trust::who_may_sign(targets, name);
  throw Error(
      ErrorKind::untrusted,
      fmt::format("{} has not delegated {} to {}", owner_, name, fmt::join(held, " and ")),
      allowed.empty()
          ? fmt::format("Ask whoever holds {}'s targets key to delegate it: flox trust add-key.", owner_)
          : fmt::format("Ask one who may sign it, {}, or whoever holds {}'s targets key.", allowed, owner_));
}

trust::NameFile MetadataSigner::next_name_file(const Present& now, const std::string& package) {
  try {
    trust::NameFile file = verifier_.verify_package_file(now.evidence, package).file;
    ++file.version;
    file.expires = trust::now() + trust::default_name_file_life;
    return file;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    throw Error(error.kind(), fmt::format("what is signed of {} so far: {}", package, error.what()),
                "If its key was revoked or it has expired, publish a build of it and pass --start-over: only "
                "what is published after that counts.");
  }
}

MetadataSigner::NameFile MetadataSigner::sign_build(const PackageBuild& build, bool start_over) {
  const std::string name = trust::package_name(build.name);
  const Present now = present(name);
  trust::NameFile file;
  if (!now.evidence.name_file.empty() && !start_over) {
    file = next_name_file(now, build.name);
  } else {
    if (start_over && !now.evidence.name_file.empty())
      file.version = trust::Proof::parse(now.evidence.proof, "the proof").leaf.version + 1;
    file.owner = owner_;
    file.name = name;
    file.expires = trust::now() + trust::default_name_file_life;
  }
  const trust::PackageRecord record = record_of(build);
  const auto [target, is_new] = file.targets.try_emplace(record.target_path(), record.to_target());
  if (!is_new && target->second.outputs != record.outputs)
    throw Error(ErrorKind::conflict,
                fmt::format("{} {} for {} is signed already, with other content", build.name, build.version,
                            build.system),
                "Raise the version: a published version never changes.");
  return sign(now.targets, std::move(file));
}

std::optional<MetadataSigner::NameFile> MetadataSigner::sign_yank(const std::string& package,
                                                                  const std::string& version,
                                                                  const std::optional<std::string>& reason) {
  const Present now = present(trust::package_name(package));
  bool is_there = false;
  bool changes = false;
  trust::NameFile file;
  if (!now.evidence.name_file.empty()) file = next_name_file(now, package);
  for (auto& [path, target] : file.targets) {
    if (!path.starts_with(version + "/")) continue;
    is_there = true;
    changes = changes || target.yanked != reason;
    target.yanked = reason;
  }
  if (!is_there)
    throw Error(ErrorKind::not_found,
                fmt::format("{} has signed no version {} of {}", owner_, version, package),
                fmt::format("Run 'flox show {}' to see its versions.", package));
  return changes ? std::optional(sign(now.targets, std::move(file))) : std::nullopt;
}

std::optional<MetadataSigner::NameFile> MetadataSigner::sign_removal(const std::string& package,
                                                                     const std::set<std::string>& builds) {
  const Present now = present(trust::package_name(package));
  if (now.evidence.name_file.empty()) return std::nullopt;
  trust::NameFile file = next_name_file(now, package);
  if (std::erase_if(file.targets, [&](const auto& target) { return builds.contains(target.first); }) == 0)
    return std::nullopt;
  if (file.targets.empty()) fail(ErrorKind::invalid_input, "{}: no build of it would be left", package);
  return sign(now.targets, std::move(file));
}

bool MetadataSigner::is_signed(const EnvironmentName& name, const Pushed& latest) {
  if (!latest.evidence) return false;
  try {
    Present now = present(trust::environment_name(name.name));
    verifier_.verify_environment(now.evidence,
                                 record_of(name, latest.generation, latest.manifest, latest.lock));
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    return false;
  }
}

MetadataSigner::NameFile MetadataSigner::sign_generation(const std::string& environment, int64_t generation,
                                                         const std::string& manifest,
                                                         const env::Lockfile& lock) {
  const trust::EnvironmentRecord record =
      record_of({.owner = owner_, .name = environment, .generation = {}}, generation, manifest, lock);
  trust::NameFile file;
  file.owner = owner_;
  file.name = trust::environment_name(environment);
  file.version = record.generation;
  file.expires = trust::now() + trust::default_name_file_life;
  file.targets = record.to_targets();
  const trust::Targets targets = present(file.name).targets;
  return sign(targets, std::move(file));
}

int64_t push_signed(MetadataSigner& signer, Client& client, const EnvironmentName& name,
                    const std::string& manifest, const env::Lockfile& lock) {
  return until_no_conflict([&](uint64_t& tried) {
    int64_t next = 1;
    try {
      const Pushed latest = client.environment({.owner = name.owner, .name = name.name, .generation = {}});
      if (latest.manifest == manifest && latest.lock.to_string() == lock.to_string() &&
          signer.is_signed(name, latest))
        return latest.generation;
      next = latest.generation + 1;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
    }
    const auto file = signer.sign_generation(name.name, next, manifest, lock);
    tried = file.version;
    return client.push(name, manifest, lock, file.text);
  });
}

void publish_signed(MetadataSigner& signer, Client& client, const PackageBuild& build, bool start_over) {
  until_no_conflict([&](uint64_t& tried) {
    const auto file = signer.sign_build(build, start_over);
    tried = file.version;
    client.publish(build, file.text);
  });
}

void remove_signed(MetadataSigner& signer, Client& client, const std::string& package,
                   const std::set<std::string>& builds) {
  until_no_conflict([&](uint64_t& tried) {
    const auto file = signer.sign_removal(package, builds);
    if (!file) return;
    tried = file->version;
    client.ask("POST",
               fmt::format("/api/v1/owners/{}/packages/{}/removals", url_encode(signer.owner()),
                           url_encode(package)),
               {{"builds", builds}, {"name_file", file->text}},
               fmt::format("removing builds of {}", package));
  });
}

bool yank_signed(MetadataSigner& signer, Client& client, const std::string& package,
                 const std::string& version, const std::optional<std::string>& reason) {
  return until_no_conflict([&](uint64_t& tried) {
    const auto file = signer.sign_yank(package, version, reason);
    if (!file) return false;
    tried = file->version;
    client.yank(package, version, reason, file->text);
    return true;
  });
}

}  // namespace flox::catalog
