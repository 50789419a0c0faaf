#include "node/floxd/pod_policy.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "base/settings/units.h"

namespace flox::node {
namespace {

constexpr size_t most_audited = 100;  // of what one request asks for

policy::Defaults defaults_of(const Config& config) {
  return {.install = config.pod_install,
          .prefetch = config.pod_prefetch,
          .nix_mutable = config.allow_nix_mutable,
          .store_view = config.store_view};
}

}  // namespace

policy::Subject subject_of(const Container& container) {
  policy::Subject subject{.pod_namespace = container.pod_namespace, .service_account = {}};
  if (!container.service_account.empty()) subject.service_account = container.service_account;
  return subject;
}

PodPolicy::PodPolicy(const Config& config, Metrics& metrics)
    : metrics_(metrics),
      file_(config.policy, defaults_of(config)),
      keys_(config.service_account_keys),
      audit_(config, metrics) {
  look_again();
}

void PodPolicy::look_again(bool always) {
  if (always) file_.reload();
  const auto policy = file_.current();
  metrics_.policy_in_force(policy->allows.size() + policy->denies.size(), !file_.trouble().empty());
}

std::string PodPolicy::service_account(const policy::PodIdentity& pod, std::string_view token) const {
  if (keys_.empty() || token.empty()) return {};
  try {
    return keys_.account_in(token, pod, std::time(nullptr));
  } catch (const Error& error) {
    log::warning("pod {}/{}: its service account is not known: {}", pod.pod_namespace, pod.name,
                 error.what());
    return {};
  }
}

PodRequest::PodRequest(PodPolicy& policy, const Container& container, std::string_view event)
    : owner_(policy),
      policy_(policy.file_.current()),
      container_(container),
      event_(event),
      subject_(subject_of(container)),
      standing_(policy::standing_of(*policy_, subject_)),
      verdict_(standing_.verdict) {}

PodRequest::~PodRequest() {
  owner_.metrics_.decided(outcome_ != "denied");
  if (!owner_.audit_.is_on()) return;
  try {
    nlohmann::ordered_json line = {
        {"time", rfc3339(std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()))},
        {"event", event_},
        {"decision", outcome_},
        {"namespace", container_.pod_namespace},
        {"pod", container_.pod_name},
        {"pod_id", container_.pod_id},
        {"container", container_.name},
        {"service_account", nullptr}};
    if (subject_.service_account) line["service_account"] = *subject_.service_account;
    nlohmann::ordered_json asked = nlohmann::ordered_json::array(), signers = asked;
    for (const policy::Asked& each : asked_) {
      asked.push_back(each.to_string());
      for (const std::string& signer : each.provenance.signers) signers.push_back(signer);
    }
    line["asked"] = std::move(asked);
    line["signers"] = std::move(signers);
    line["store_path"] = path_;
    line["nar_hash"] = hash_;
    line["rule"] = verdict_.rule;
    line["place"] = verdict_.place;
    if (!why_.empty()) line["why"] = why_;
    owner_.audit_.write(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } catch (const std::exception&) {  // out of memory
    owner_.metrics_.audit_lost();
  }
}

void PodRequest::check(const policy::Verdict& verdict) {
  verdict_ = verdict;
  if (verdict.allowed) return;
  outcome_ = "denied";
  throw Error(ErrorKind::untrusted, verdict.why, verdict.advice);
}

void PodRequest::require_standing() { check(standing_.verdict); }

void PodRequest::require_start(const policy::Start& start) {
  if (start.environment) asked_.push_back(*start.environment);
  const policy::Verdict verdict = policy::decide_start(*policy_, start);
  if (!verdict.undecided) check(verdict);
}

void PodRequest::require_prefetch(const std::vector<policy::Asked>& asked) {
  for (const policy::Asked& each : asked)
    if (asked_.size() < most_audited) asked_.push_back(each);
  check(policy::decide_prefetch(*policy_, subject_));
  for (const policy::Asked& each : asked)
    if (const policy::Verdict verdict = policy::decide(*policy_, subject_, each); !verdict.undecided)
      check(verdict);
}

void PodRequest::require(const policy::Asked& asked) {
  if (asked_.size() < most_audited) asked_.push_back(asked);
  check(policy::decide(*policy_, subject_, asked));
}

void PodRequest::require_lock(const policy::Asked& wanted, const env::Lockfile& published,
                              const env::Lockfile& lock, const policy::PackageProvenances& chosen) {
  // Nobody's name stands for a store path: without a policy it is what pods may install themselves.
  if (wanted.kind == policy::Asked::Kind::store_path && !names_count()) require_install();
  const std::string system = env::current_system();
  asked_.clear();
  if (wanted.kind != policy::Asked::Kind::package) asked_.push_back(wanted);
  if (wanted.kind == policy::Asked::Kind::package)
    for (const auto& package : lock.for_system(system)) {
      const auto proved = chosen.find(package.attr_path);
      asked_.push_back(
          policy::asked_of(package, proved == chosen.end() ? wanted.provenance : proved->second));
    }
  check(policy::decide_lock(*policy_, subject_, wanted, published, lock, system, chosen));
}

void PodRequest::require_part(const policy::Asked& asked) {
  const policy::Verdict verdict = policy::decide_part(*policy_, subject_, asked);
  if (!verdict.allowed) check(verdict);
}

void PodRequest::require_install() { check(policy::decide_install(*policy_, subject_)); }

store::RealiseLimits PodRequest::limits(store::RealiseLimits otherwise) const {
  otherwise.disk = std::min(otherwise.disk, terms().closure_size);
  if (terms().realise_time)
    otherwise.time = std::min<std::chrono::milliseconds>(otherwise.time, *terms().realise_time);
  return otherwise;
}

std::function<void(const store::LocalStore&, const nix::StorePathSet&)> PodRequest::closure_check() {
  if (terms().closure_size == UINT64_MAX && !policy::looks_into_closures(*policy_)) return {};
  return [this](const store::LocalStore& store, const nix::StorePathSet& closure) {
    check_closure(closure, store.closure_size(closure));
  };
}

void PodRequest::check_closure(const nix::StorePathSet& closure, uint64_t size) {
  for (const policy::Verdict& verdict :
       {policy::decide_size(*policy_, subject_, size), policy::decide_closure(*policy_, subject_, closure)})
    if (!verdict.allowed) check(verdict);
}

nix::StorePath PodRequest::within_limits(const std::function<nix::StorePath()>& body) const {
  const policy::Allow* rule = terms().rule;
  if (rule == nullptr || (!rule->closure_size && !rule->realise_time)) return body();
  std::string limits;
  if (rule->closure_size) limits = "closure_size " + size_text(*rule->closure_size);
  if (rule->realise_time)
    limits +=
        fmt::format("{}realise_time {}", limits.empty() ? "" : ", ", duration_text(*rule->realise_time));
  try {
    return body();
  } catch (const Error& error) {
    if (outcome_ == "denied") throw;  // it names the rule
    throw error.with_context(
        fmt::format("within the limits of rule '{}' ({}: {})", rule->name, policy_->place_of(*rule), limits));
  }
}

void PodRequest::allowed(const store::LocalStore& store, const nix::StorePath& path) {
  path_ = path.to_string();
  if (const auto info = store.query(path)) hash_ = nix::hash_text(info->nar_hash);
  allowed();
}

void PodRequest::allowed(const nix::PathInfo& path) {
  path_ = path.path.to_string();
  hash_ = nix::hash_text(path.nar_hash);
  allowed();
}

void PodRequest::allowed() { outcome_ = "allowed"; }

void PodRequest::failed(const std::exception& error) {
  if (outcome_ != "denied") outcome_ = "failed";
  why_ = message_of(error);
}

}  // namespace flox::node
