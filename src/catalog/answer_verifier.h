// Whether what a catalog answers may be used: an owner that is trusted here must have signed it
// (docs/explanation/provenance.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/client.h"
#include "catalog/environment_name.h"
#include "env/environment.h"
#include "trust/settings.h"
#include "trust/trust_store.h"
#include "trust/verifier.h"

namespace flox::catalog {

// Whose the answer is. Nothing is known of the owner of an answer that nobody has signed.
using Origin = std::optional<trust::Provenance>;
// "environments/web version 3, signed by alice-1 (role web of acme)", or "nobody's: allow_unsigned".
std::string to_string(const Origin& origin);

// With the roots that the evidence's timestamp names and that are newer than the one in force here.
trust::Evidence with_newer_roots(trust::Evidence evidence, const trust::TrustStore& store,
                                 const trust::RootSource& root);

// Thread-safe, if what it is given is.
class AnswerVerifier {
 public:
  struct Options {
    trust::RootSource root;
    // Takes a sentence for the log or the terminal: about each answer that passes only because of
    // allow_unsigned, and about yanked versions.
    std::function<void(const std::string& warning)> warn;
    trust::Verifier::Clock clock = trust::now;
    // False: what was seen is not written down, for commands that only read.
    bool remember = true;
  };
  // Throws Error(invalid_input) if no directory is known for what is trusted.
  AnswerVerifier(const trust::TrustSettings& settings, Options options);

  // That the package is what the descriptor chooses, on this machine's CPU, among the builds that the owner
  // has signed. Throws Error(untrusted), with advice, if it is not, or if nobody has signed it and
  // allow_unsigned is not set. What a trusted owner has signed wrongly passes with allow_unsigned neither.
  Origin check(const Resolved& answer, std::string_view install_id, const env::InstallDescriptor& descriptor,
               std::string_view system);
  // The same for an environment: it is the generation that was asked for, or the latest.
  Origin check(const Pushed& answer, const EnvironmentName& name);

  // What is newest of the answer's owner among what was verified on this machine; empty: nothing is known but
  // the answer's own.
  struct Newest {
    std::string targets;
    std::string name_file;  // of the package
  };
  // An answer that was checked on this machine before and was kept: the same, but whether it has expired, or
  // is still the newest, does not count (trust::KeptEvidence). A version that is known to be yanked passes
  // with a warning.
  Origin check_kept(const Resolved& answer, std::string_view install_id,
                    const env::InstallDescriptor& descriptor, std::string_view system, const Newest& newest);
  Origin check_kept(const Pushed& answer, const EnvironmentName& name, const Newest& newest);

  trust::TrustStore& store() noexcept { return store_; }

 private:
  // A package's file, verified one way or the other.
  using PackageFile = std::function<trust::VerifiedPackage(const trust::Evidence& evidence)>;
  Origin check_by(const PackageFile& verified_file, const Resolved& answer, std::string_view install_id,
                  const env::InstallDescriptor& descriptor, std::string_view system) const;
  using EnvironmentCheck = std::function<trust::Provenance(const trust::Evidence& evidence,
                                                           const trust::EnvironmentRecord& record)>;
  Origin check_by(const EnvironmentCheck& verified, const Pushed& answer, const EnvironmentName& name) const;
  // Nobody has signed it, for this reason.
  Origin unsigned_answer(const std::string& what, const std::string& why, const std::string& advice) const;

  bool allow_unsigned_;
  Options options_;
  trust::TrustStore store_;
  trust::Verifier verifier_;
};

// The catalog as those use it who act on its answers: each is verified.
class VerifiedCatalog : public env::Resolver {
 public:
  // `url` and `token` as Client has them, `warn` and `remember` as above.
  VerifiedCatalog(std::string url, Secret token, const trust::TrustSettings& settings,
                  std::function<void(const std::string&)> warn, bool remember = true);

  env::LockedPackage resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                             std::string_view system) override;
  std::vector<Answer> resolve_all(std::span<const env::PackageQuestion> questions) override;
  env::Lockfile included(const std::string& reference, std::optional<int64_t> generation) override;
  struct Package {
    env::LockedPackage package;
    Origin origin;
  };
  // The same, and who says so.
  Package package(std::string_view install_id, const env::InstallDescriptor& descriptor,
                  std::string_view system);
  struct Environment {
    Pushed pushed;
    Origin origin;
  };
  // Throws Error(not_found).
  Environment environment(const EnvironmentName& name);
  Client& client() noexcept { return client_; }

 private:
  Client client_;
  AnswerVerifier verifier_;
};

}  // namespace flox::catalog
