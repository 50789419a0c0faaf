#include "catalog/signing.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/printable.h"
#include "catalog/answer_verifier.h"
#include "trust/delegation.h"
#include "trust/names.h"

namespace flox::catalog {
namespace {

// Of publishers that race one wins each time, so so many may race.
constexpr int most_attempts = 20;
// Bytes of a name file as a JSON text, as it stands in a request: the catalog takes 1 MiB of each. Some 2,000
// builds.
constexpr size_t largest_name_file = 960 << 10;

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

// The version in the path of a target, VERSION/SYSTEM/VARIANT.
std::string_view version_in(std::string_view path) { return path.substr(0, path.find('/')); }

void keep_newest(trust::NameFile& file, size_t count, const std::string& published) {
  std::vector<std::string> versions;
  for (const auto& [path, target] : file.targets) versions.emplace_back(version_in(path));
  std::ranges::sort(versions, [](const auto& a, const auto& b) { return compare_versions(a, b) > 0; });
  versions.erase(std::ranges::unique(versions).begin(), versions.end());
  if (versions.size() <= count) return;
  versions.resize(count);
  if (std::ranges::find(versions, published) == versions.end()) versions.back() = published;
  std::erase_if(file.targets, [&](const auto& target) {
    return std::ranges::find(versions, version_in(target.first)) == versions.end();
  });
}

void require_size(const trust::NameFile& file) {
  const size_t size = nlohmann::json(file.to_json().dump()).dump().size();
  if (file.targets.size() <= trust::most_targets && size <= largest_name_file) return;
  throw Error(
      ErrorKind::invalid_input,
      fmt::format("{} of {} lists {} builds: its signed file would have {} KiB, and the catalog takes {}",
                  file.name, file.owner, file.targets.size(), size >> 10, largest_name_file >> 10),
      "Pass --keep-versions N: what is older than the newest N versions is listed no more, and nobody can "
      "install it then.");
}

void require_next(const trust::NameFile& file, uint64_t newest) {
  if (file.version == newest + 1) return;
  throw Error(ErrorKind::conflict,
              fmt::format("{} of {} is at version {} in the catalog, and version {} is not the next",
                          file.name, file.owner, newest, file.version),
              "Somebody else has published it meanwhile: prepare it anew.");
}

}  // namespace

MetadataSigner::MetadataSigner(std::string owner, const Signers& signers, trust::TrustStore& store,
                               Client& client, bool remember)
    : owner_(std::move(owner)),
      signers_(signers),
      store_(store),
      client_(client),
      remember_(remember),
      verifier_(store, trust::now, remember) {
  if (!store_.trusts(owner_))
    throw Error(ErrorKind::untrusted, fmt::format("signing for {}: its root is not trusted here", owner_),
                fmt::format("Run 'flox trust init {}' if {} is new, or '{}'.", owner_, owner_,
                            trust::accept_command(owner_)));
}

MetadataSigner::Present MetadataSigner::present(const std::string& name) {
  auto evidence = client_.evidence(owner_, name);
  if (!evidence)
    throw Error(ErrorKind::not_found, fmt::format("the catalog has no root of {}", owner_),
                fmt::format("Run 'flox trust publish {}'.", owner_));
  evidence->owner = owner_;
  *evidence = with_newer_roots(std::move(*evidence), store_, [&](const std::string& owner, uint64_t version) {
    return client_.root(owner, version);
  });
  const trust::Time now = trust::now();
  const auto root = store_.update_root(owner_, evidence->roots, now, remember_);
  auto targets = trust::Signed<trust::Targets>::parse(evidence->targets, "targets.json");
  trust::require_signers(targets.message, targets.signatures, root.content.keys, root.content.targets,
                         "targets", "targets.json");
  trust::require_current(targets.content, now, "targets.json");
  if (targets.content.owner != owner_)
    fail(ErrorKind::untrusted, "targets.json is of {}, not of {}", targets.content.owner, owner_);
  return {.targets = std::move(targets.content), .evidence = std::move(*evidence)};
}

MetadataSigner::Prepared MetadataSigner::with_state(const trust::Targets& targets,
                                                    trust::Signed<trust::NameFile> file) {
  trust::SigningState state = trust::signing_state(file, targets);
  std::string allowed = trust::who_may_sign(targets, file.content.name);
  return {.file = std::move(file), .state = std::move(state), .allowed = std::move(allowed)};
}

MetadataSigner::Prepared MetadataSigner::prepare(const trust::Targets& targets,
                                                 trust::Signed<trust::NameFile> file) const {
  trust::sign(file, targets, signers_);
  return with_state(targets, std::move(file));
}

MetadataSigner::NameFile MetadataSigner::complete(const Prepared& prepared) const {
  require_complete(prepared);
  return {prepared.file.content.version, prepared.file.to_string()};
}

void MetadataSigner::require_complete(const Prepared& prepared) const {
  const trust::NameFile& file = prepared.file.content;
  const trust::SigningState& state = prepared.state;
  if (state.complete()) return;
  if (!prepared.file.signatures.empty())
    throw Error(ErrorKind::untrusted,
                fmt::format("{} of {} has {} of the {} signatures that it needs; it lacks {}", state.what,
                            owner_, state.signatures, state.needed, fmt::join(state.lacking, ", ")),
                "Write it to a file with --prepare FILE, and have that signed by their holders: 'flox trust "
                "sign FILE'.");
  std::vector<std::string> held;
  for (const auto& signer : signers_) held.push_back(signer->description());
  throw Error(ErrorKind::untrusted,
              fmt::format("{} has not delegated {} to {}", owner_, file.name,
                          held.empty() ? "anybody here" : fmt::format("{}", fmt::join(held, " and "))),
              fmt::format("Ask one who may sign it, {}, or whoever holds {}'s targets key.", prepared.allowed,
                          owner_));
}

bool MetadataSigner::has_run_out(const Present& now, const std::string& package) try {
  verifier_.newest_version(now.evidence, trust::package_name(package));
  const auto file = trust::Signed<trust::NameFile>::parse(now.evidence.name_file, "the name file");
  return file.content.expires <= trust::now() || !trust::signing_state(file, now.targets).complete();
} catch (const Error&) {  // what stands above it is refused already
  return false;
}

trust::NameFile MetadataSigner::next_name_file(const Present& now, const std::string& package) {
  const std::string what = fmt::format("what is signed of {} so far", package);
  try {
    trust::NameFile file = verifier_.verify_package_file(now.evidence, package).file;
    ++file.version;
    file.expires = trust::now() + trust::default_name_file_life;
    return file;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    // What else is refused, a catalog that goes back say, has another remedy: all that is signed would be
    // lost.
    if (!has_run_out(now, package)) throw error.with_context(what);
    throw Error(error.kind(), fmt::format("{}: {}", what, error.what()),
                "Its key was revoked, or it has expired: publish a build of it and pass --start-over. Only "
                "what is published after that counts.");
  }
}

MetadataSigner::Prepared MetadataSigner::prepare_build(const PackageBuild& build, const Listing& listing) {
  const std::string name = trust::package_name(build.name);
  const Present now = present(name);
  trust::NameFile file;
  if (!now.evidence.name_file.empty() && !listing.start_over) {
    file = next_name_file(now, build.name);
  } else {
    if (!now.evidence.name_file.empty()) file.version = verifier_.newest_version(now.evidence, name) + 1;
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
  if (listing.keep_versions > 0) keep_newest(file, listing.keep_versions, build.version);
  require_size(file);
  return prepare(now.targets, trust::Signed<trust::NameFile>::of(std::move(file)));
}

MetadataSigner::NameFile MetadataSigner::sign_build(const PackageBuild& build, const Listing& listing) {
  return complete(prepare_build(build, listing));
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
    if (version_in(path) != version) continue;
    is_there = true;
    changes = changes || target.yanked != reason;
    target.yanked = reason;
  }
  if (!is_there)
    throw Error(ErrorKind::not_found,
                fmt::format("{} has signed no version {} of {}", owner_, version, package),
                fmt::format("Run 'flox show {}' to see its versions.", package));
  return changes ? std::optional(
                       complete(prepare(now.targets, trust::Signed<trust::NameFile>::of(std::move(file)))))
                 : std::nullopt;
}

std::optional<MetadataSigner::NameFile> MetadataSigner::sign_removal(const std::string& package,
                                                                     const std::set<std::string>& builds) {
  const Present now = present(trust::package_name(package));
  if (now.evidence.name_file.empty()) return std::nullopt;
  trust::NameFile file = next_name_file(now, package);
  if (std::erase_if(file.targets, [&](const auto& target) { return builds.contains(target.first); }) == 0)
    return std::nullopt;
  if (file.targets.empty()) fail(ErrorKind::invalid_input, "{}: no build of it would be left", package);
  return complete(prepare(now.targets, trust::Signed<trust::NameFile>::of(std::move(file))));
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

MetadataSigner::Prepared MetadataSigner::prepare_generation(const std::string& environment,
                                                            int64_t generation, const std::string& manifest,
                                                            const env::Lockfile& lock) {
  const trust::EnvironmentRecord record =
      record_of({.owner = owner_, .name = environment, .generation = {}}, generation, manifest, lock);
  trust::NameFile file;
  file.owner = owner_;
  file.name = trust::environment_name(environment);
  file.version = record.generation;
  file.expires = trust::now() + trust::default_name_file_life;
  file.targets = record.to_targets();
  const Present now = present(file.name);
  // Whoever stands between could name any number, and have a version signed that nobody reaches.
  if (!now.evidence.name_file.empty()) require_next(file, verifier_.newest_version(now.evidence, file.name));
  return prepare(now.targets, trust::Signed<trust::NameFile>::of(std::move(file)));
}

MetadataSigner::NameFile MetadataSigner::sign_generation(const std::string& environment, int64_t generation,
                                                         const std::string& manifest,
                                                         const env::Lockfile& lock) {
  return complete(prepare_generation(environment, generation, manifest, lock));
}

MetadataSigner::Joined MetadataSigner::join(const std::string& name, const std::vector<std::string>& copies) {
  std::vector<trust::Signed<trust::NameFile>> files;
  for (const std::string& copy : copies) {
    files.push_back(trust::Signed<trust::NameFile>::parse(copy, "the signed file"));
    const trust::NameFile& file = files.back().content;
    if (file.owner != owner_ || file.name != name)
      fail(ErrorKind::invalid_input, "the signed file is of {} of {}, not of {} of {}", file.name, file.owner,
           name, owner_);
  }
  const Present now = present(name);
  // Nothing is signed here: whoever holds the other key could have put anything into it.
  Prepared prepared = with_state(now.targets, trust::merged(files, now.targets));
  require_complete(prepared);
  const bool is_there =
      !now.evidence.name_file.empty() &&
      trust::Signed<trust::NameFile>::parse(now.evidence.name_file, "the name file").message ==
          prepared.file.message;
  return {.file = std::move(prepared.file), .is_there = is_there};
}

MetadataSigner::Review MetadataSigner::review(const trust::NameFile& file) {
  Present now = present(file.name);
  Review result{.targets = std::move(now.targets), .changes = {}};
  if (now.evidence.name_file.empty()) {
    result.changes = changes_of(file, nullptr);
    return result;
  }
  require_next(file, verifier_.newest_version(now.evidence, file.name));
  try {
    const trust::NameFile before = verifier_.verify_name(now.evidence, file.name).file;
    result.changes = changes_of(file, &before);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted) throw;
    result.changes = changes_of(file, nullptr);  // what is there counts no more
  }
  return result;
}

std::vector<std::string> changes_of(const trust::NameFile& file, const trust::NameFile* before) {
  const bool is_package = file.name.starts_with(trust::package_name(""));
  const auto line = [&](char sign, const std::string& path, const trust::Target& target) {
    std::vector<std::string> what;
    for (const auto& [output, store_path] : target.outputs)
      what.push_back(fmt::format("{} {}", output, store_path));
    if (what.empty()) what.push_back(fmt::format("{} bytes, sha256 {}", target.length, target.sha256));
    if (target.yanked) what.push_back(fmt::format("yanked: {}", *target.yanked));
    return printable(fmt::format("{} {}: {}", sign, path, fmt::join(what, ", ")));
  };
  std::vector<std::string> changes;
  for (const auto& [path, target] : file.targets) {
    const auto old = before == nullptr ? file.targets.end() : before->targets.find(path);
    const bool was_there = before != nullptr && old != before->targets.end();
    // Of an environment all is said: each generation stands for itself.
    if (was_there && is_package && old->second == target) continue;
    if (was_there && is_package) changes.push_back(line('-', path, old->second));
    changes.push_back(line('+', path, target));
  }
  if (before != nullptr && is_package)
    for (const auto& [path, target] : before->targets)
      if (!file.targets.contains(path)) changes.push_back(line('-', path, target));
  return changes;
}

int64_t push_environment(MetadataSigner* signer, Client& client, const EnvironmentName& name,
                         const std::string& manifest, const env::Lockfile& lock,
                         const MayFollow& may_follow) {
  return until_no_conflict([&](uint64_t& tried) {
    const std::optional<Pushed> latest = client.latest_generation(name);
    const bool is_same =
        latest && latest->manifest == manifest && latest->lock.to_string() == lock.to_string();
    if (is_same && signer != nullptr && signer->is_signed(name, *latest)) return latest->generation;
    // The catalog answers the same once more with the latest one's number, to those who may push.
    if (!is_same) may_follow(latest);
    const int64_t next = latest ? latest->generation + 1 : 1;
    const std::string name_file =
        signer == nullptr ? "" : signer->sign_generation(name.name, next, manifest, lock).text;
    tried = static_cast<uint64_t>(next);
    return client.push(name, manifest, lock, name_file, latest);
  });
}

bool publish_signed(MetadataSigner& signer, Client& client, const PackageBuild& build,
                    const Listing& listing) {
  return until_no_conflict([&](uint64_t& tried) {
    const auto file = signer.sign_build(build, listing);
    tried = file.version;
    return client.publish(build, file.text);
  });
}

int64_t push_joined(MetadataSigner& signer, Client& client, const EnvironmentName& name,
                    const std::string& manifest, const env::Lockfile& lock,
                    const std::vector<std::string>& copies, const MayFollow& may_follow) {
  const auto [file, is_there] = signer.join(trust::environment_name(name.name), copies);
  const auto generation = static_cast<int64_t>(file.content.version);
  if (file.content.targets != record_of(name, generation, manifest, lock).to_targets())
    throw Error(ErrorKind::invalid_input,
                fmt::format("the signed file is of another manifest or lock of {} than is here", name.name),
                "Push what was prepared, or prepare it anew: 'flox push --prepare FILE'.");
  if (is_there) return generation;  // once more, because the answer was lost
  const std::optional<Pushed> latest = client.latest_generation(name);
  may_follow(latest);
  return client.push(name, manifest, lock, file.to_string(), latest);
}

bool publish_joined(MetadataSigner& signer, Client& client, const PackageBuild& build,
                    const std::vector<std::string>& copies) {
  const auto [file, is_there] = signer.join(trust::package_name(build.name), copies);
  const trust::PackageRecord record = record_of(build);
  const auto listed = file.content.targets.find(record.target_path());
  if (listed == file.content.targets.end() || listed->second != record.to_target())
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("the signed file does not list {} {} as it is here", build.name, record.target_path()),
        "Publish the build that was prepared, or prepare this one: 'flox publish --prepare FILE'.");
  return !is_there && client.publish(build, file.to_string());
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
