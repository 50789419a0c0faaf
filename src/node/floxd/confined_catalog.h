// Asking the catalog from a confined process: floxd itself speaks no HTTP and no TLS outside the node, and
// the catalog's answers are parsed where there is nothing to steal. One process answers all requests of half
// a minute, over connections that it keeps. Its result is parsed once more here, under the limits of
// base/data/json.h, and verified here: whoever takes the process over can show nothing that no owner has
// signed.
//
// What a pod is answered is kept for it (kept/kept_pods.h). It is verified again each time it is used
// (AnswerVerifier::check_kept).
#pragma once

#include <optional>
#include <string>

#include "base/confined/confined_service.h"
#include "catalog/answer_verifier.h"
#include "catalog/environment_name.h"
#include "catalog/start_profile.h"
#include "env/lockfile.h"
#include "node/floxd/config.h"
#include "node/floxd/metrics.h"
#include "node/floxd/pod_answers.h"
#include "node/kept/signed_texts.h"
#include "store/fetch/fetcher.h"

namespace flox::node {

// Registers the job; for main(), before run_confined_job().
void add_catalog_job();

// Thread-safe; calls block. `pod`: for which pod, of whose answers the call makes use; null: for none. All
// throw what catalog::Client throws, untrusted for what no trusted owner has signed
// (catalog::AnswerVerifier), and unavailable if the fetcher died.
class ConfinedCatalog {
 public:
  // All must outlive it. Makes directories below the store's root.
  ConfinedCatalog(const Config& config, store::FetcherPool& fetchers, Metrics& metrics);

  struct Package {
    env::LockedPackage package;
    catalog::Origin origin;
  };
  // `token` is somebody's own for the catalog; without one the login in its URL or in netrc counts.
  Package resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                  std::string_view system, const PodAnswers* pod = nullptr, const Secret& token = {}) const;
  struct Environment {
    int64_t generation = 0;
    env::Lockfile lock;
    catalog::Origin origin;
  };
  Environment environment(const catalog::EnvironmentName& name, const PodAnswers* pod = nullptr,
                          const Secret& token = {}) const;

  // What was published of the starts of an environment ("OWNER/NAME") or a package, if anything was. It is
  // nobody's word: who uses it must not trust it.
  std::optional<catalog::StartProfile> start_profile(const std::string& name) const;

  // What runs on this node (node_report), with the node's login. Throws what catalog::Client::ask() throws.
  void report(const std::string& node, const nlohmann::json& report) const;

  // Ends what is being asked, for floxd ends.
  void stop() { service_.stop(); }

 private:
  // The answer to a question, read by `read(answer, kept)`, which verifies it in one way or the other: the
  // catalog's, which is kept for the pod, or the one that was kept. `is_moving(result)`: whether the question
  // may get another answer some day.
  template <typename Read, typename IsMoving>
  auto answered(const nlohmann::json& question, const PodAnswers* pod, const Secret& token, Read&& read,
                IsMoving&& is_moving) const;
  // What is known here of the owner, and, unless it is empty, of the name.
  catalog::AnswerVerifier::Newest newest_of(const std::optional<trust::Evidence>& evidence,
                                            const std::string& name) const;
  nlohmann::json ask(nlohmann::json question, const Secret& token = {}) const;
  std::optional<std::string> root(const std::string& owner, uint64_t version) const;
  const std::chrono::seconds moving_answer_age_;  // 0: no limit
  Metrics& metrics_;
  mutable SignedTexts signed_texts_;
  mutable ConfinedService service_;
  mutable catalog::AnswerVerifier verifier_;
};

}  // namespace flox::node
