#include "node/doctor/trust_check.h"

#include <algorithm>

#include "base/error.h"
#include "base/settings/units.h"
#include "catalog/answer_verifier.h"
#include "catalog/client.h"
#include "trust/names.h"
#include "trust/trust_store.h"

namespace flox::node {
namespace {

constexpr const char* subject = "trust";
// A name that nobody publishes: the catalog sends targets and timestamp with each.
constexpr const char* any_name = "packages/.-";

Finding finding(Severity severity, std::string text, std::string advice) {
  return {severity, subject, std::move(text), std::move(advice)};
}

std::string renewal(const std::string& owner) {
  return fmt::format("Ask {} to renew it: 'flox trust renew {}' and 'flox trust publish {}'.", owner, owner,
                     owner);
}

// One file that its owner's keys sign.
Finding of_file(const std::string& owner, const char* name, const trust::Header& file, trust::Time now) {
  const std::string text = fmt::format("{}: {} version {}", owner, name, file.version);
  const std::string until = trust::time_text(file.expires);
  if (file.expires <= now)
    return finding(Severity::error,
                   fmt::format("{} expired at {}: nothing of this owner is accepted any more", text, until),
                   renewal(owner));
  if (trust::expires_soon(file, now))
    return finding(Severity::warning,
                   fmt::format("{} expires at {}, in {}", text, until,
                               count_text(static_cast<uint64_t>(trust::days_left(file, now)), "day")),
                   renewal(owner));
  return finding(Severity::ok, fmt::format("{}, expires {}", text, until), "");
}

// The timestamp's life is hours: it is renewed when half of that is over.
Finding of_timestamp(const std::string& owner, const trust::Timestamp& file, trust::Time now) {
  const std::string until = trust::time_text(file.expires);
  if (file.expires <= now)
    return finding(Severity::error,
                   fmt::format("{}: the catalog's timestamp.json expired at {}", owner, until),
                   "Compare this machine's clock with the catalog's; read the catalog's log. What is new "
                   "does not start before.");
  return finding(Severity::ok, fmt::format("{}: timestamp.json of the catalog, until {}", owner, until), "");
}

// With what the catalog has besides. What a node would refuse is told as such; nothing is written down.
OwnerFiles with_catalog(OwnerFiles files, trust::TrustStore& store, catalog::Client& client) {
  auto evidence = client.evidence(files.owner, any_name);
  if (!evidence) return files;
  evidence->owner = files.owner;
  *evidence = catalog::with_newer_roots(
      std::move(*evidence), store,
      [&](const std::string& of, uint64_t version) { return client.root(of, version); });
  return with_verified(std::move(files), *evidence, store, trust::now());
}

}  // namespace

OwnerFiles with_verified(OwnerFiles files, const trust::Evidence& evidence, trust::TrustStore& store,
                         trust::Time now) {
  files.targets = trust::Signed<trust::Targets>::parse(evidence.targets, "targets.json").content;
  files.timestamp = trust::Signed<trust::Timestamp>::parse(evidence.timestamp, "timestamp.json").content;
  // What has expired is told by itself (check_expiry).
  constexpr std::chrono::seconds before(1);
  const trust::Time at = std::min(
      {now, files.root.expires - before, files.targets->expires - before, files.timestamp->expires - before});
  try {
    files.root = trust::Verifier(
                     store, [at] { return at; }, false)
                     .verify_owner(evidence)
                     .root;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    files.refusal = error;
    files.targets.reset();
    files.timestamp.reset();
  }
  return files;
}

std::vector<Finding> check_expiry(const OwnerFiles& files, trust::Time now) {
  std::vector<Finding> findings{of_file(files.owner, "root.json", files.root, now)};
  if (files.refusal)
    findings.push_back(finding(
        Severity::error,
        fmt::format("{}: nothing new of this owner is accepted here: {}", files.owner, files.refusal->what()),
        files.refusal->advice().empty() ? "Read the catalog's log, and ask whoever runs it."
                                        : files.refusal->advice()));
  if (files.targets) findings.push_back(of_file(files.owner, "targets.json", *files.targets, now));
  if (files.timestamp) findings.push_back(of_timestamp(files.owner, *files.timestamp, now));
  return findings;
}

std::vector<Finding> check_trust(const Config& config) {
  trust::TrustStore store(config.trust_directory(), config.trust_state_directory());
  std::vector<Finding> findings;
  std::optional<catalog::Client> client;
  if (!config.catalog_url.empty()) client.emplace(config.catalog_url, config.token());
  const std::vector<std::string> owners = store.owners();
  for (const std::string& owner : owners) try {
      OwnerFiles files{.owner = owner, .root = store.root(owner).content};
      if (client) try {
          files = with_catalog(files, store, *client);
        } catch (const Error& error) {
          findings.push_back(finding(
              Severity::warning,
              fmt::format("{}: what the catalog has is not known: {}", owner, error.what()), error.advice()));
          if (error.kind() == ErrorKind::unavailable) client.reset();  // once is enough
        }
      for (Finding& one : check_expiry(files, trust::now())) findings.push_back(std::move(one));
    } catch (const Error& error) {
      findings.push_back(
          finding(Severity::error, fmt::format("{}: {}", owner, error.what()), error.advice()));
    }
  if (config.allow_unsigned)
    findings.push_back(finding(
        Severity::warning, "allow_unsigned is set: packages and environments that nobody has signed run here",
        "Remove allow_unsigned from /etc/flox/config.toml, except for development."));
  else if (owners.empty())
    findings.push_back(
        finding(Severity::error,
                fmt::format("no owner is trusted in {}: no package and no environment runs here",
                            store.directory().string()),
                fmt::format("Ask an owner for the fingerprint of their root, then run '{}'.",
                            trust::accept_command("OWNER"))));
  return findings;
}

}  // namespace flox::node
