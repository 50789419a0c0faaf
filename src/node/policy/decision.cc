#include "node/policy/decision.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "catalog/environment_name.h"
#include "env/manifest.h"

namespace flox::policy {
namespace {

constexpr size_t shown = 200;  // characters of a name in a message

// Whether a rule, or what it names, is for something.
enum class Match { no, yes, unknown };

bool any_matches(const std::vector<Pattern>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](const Pattern& pattern) { return pattern.matches(name); });
}

Match match(const Pods& pods, const Subject& subject) {
  if (!pods.namespaces.empty() && !any_matches(pods.namespaces, subject.pod_namespace)) return Match::no;
  if (pods.service_accounts.empty()) return Match::yes;
  if (!subject.service_account) return Match::unknown;
  return any_matches(pods.service_accounts, *subject.service_account) ? Match::yes : Match::no;
}

Match match(const std::vector<Choice>& choices, const Asked& asked) {
  Match result = Match::no;
  for (const Choice& choice : choices) {
    if (!choice.name.matches(asked.name)) continue;
    if (!choice.versions) return Match::yes;
    if (asked.version.empty())
      result = Match::unknown;
    else if (choice.versions->admits(asked.version))
      return Match::yes;
  }
  return result;
}

// Whose it is: an environment says so itself, of a package the signed metadata do.
std::string_view owner_of(const Asked& asked) {
  if (asked.kind == Asked::Kind::environment)
    return std::string_view(asked.name).substr(0, asked.name.find('/'));
  return asked.provenance.owner;
}

Match match(const Things& things, const Asked& asked) {
  if (asked.kind == Asked::Kind::store_path)
    return any_matches(things.store_paths, asked.name) ? Match::yes : Match::no;
  const std::string_view owner = owner_of(asked);
  if (!owner.empty() && any_matches(things.owners, owner)) return Match::yes;
  const Match named =
      match(asked.kind == Asked::Kind::environment ? things.environments : things.packages, asked);
  return named == Match::no && owner.empty() && !things.owners.empty() ? Match::unknown : named;
}

// What is missing where a match is not known.
std::string missing(const Things& things, const Asked& asked) {
  const bool is_environment = asked.kind == Asked::Kind::environment;
  if (match(is_environment ? things.environments : things.packages, asked) == Match::unknown)
    return is_environment ? "its generation is not known: name one" : "its version is not known";
  return "no verified metadata say whose it is";
}

std::string called(const Policy& policy, const Rule& rule) {
  return fmt::format("rule '{}' ({})", rule.name, policy.place_of(rule));
}

bool is_key_id(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Verdict granted(const Policy& policy, const Rule* rule) {
  Verdict verdict;
  if (rule == nullptr) return verdict;
  verdict.rule = rule->name;
  verdict.place = policy.place_of(*rule);
  return verdict;
}

Verdict denied(const Policy& policy, const Rule* rule, std::string why, std::string advice = {}) {
  Verdict verdict = granted(policy, rule);
  if (rule == nullptr && policy.has_rules()) verdict.place = policy.file;
  verdict.allowed = false;
  verdict.why = std::move(why);
  verdict.advice =
      advice.empty() && policy.has_rules()
          ? "See what the pod may have with 'flox policy explain' on the node, or ask its operator."
          : std::move(advice);
  return verdict;
}

Verdict denied_for_unknown_account(const Policy& policy, const Rule& rule) {
  return denied(policy, &rule,
                fmt::format("{} is for service accounts, and the pod's is not known", called(policy, rule)),
                "Let the pod mount its service account's token, and set service_account_keys on the node.");
}

Verdict denied_by(const Policy& policy, const Deny& rule, const Subject& subject, const std::string& what) {
  return denied(policy, &rule,
                fmt::format("{} denies {} to {}{}", called(policy, rule), what, subject.to_string(),
                            rule.reason.empty() ? "" : ": " + rule.reason));
}

// What a [[deny]] says of it; nothing if none does.
std::optional<Verdict> forbidden(const Policy& policy, const Subject& subject, const Asked& asked) {
  for (const Deny& rule : policy.denies) {
    const Match pods = match(rule.pods, subject);
    if (pods == Match::no) continue;
    const Match thing = rule.things.empty() ? Match::yes : match(rule.things, asked);
    if (thing == Match::no) continue;
    if (pods == Match::unknown) return denied_for_unknown_account(policy, rule);
    if (thing == Match::yes) return denied_by(policy, rule, subject, asked.to_string());
    Verdict verdict = denied(policy, &rule,
                             fmt::format("{} may deny {}: {}", called(policy, rule), asked.to_string(),
                                         missing(rule.things, asked)));
    verdict.undecided = !asked.answered;
    return verdict;
  }
  return std::nullopt;
}

std::string allowed_list(const Things& things, Asked::Kind kind) {
  std::vector<std::string> names;
  if (kind == Asked::Kind::store_path)
    for (const Pattern& pattern : things.store_paths) names.push_back(pattern.text());
  else
    for (const Choice& choice : kind == Asked::Kind::environment ? things.environments : things.packages)
      names.push_back(choice.to_string());
  constexpr size_t most = 5;
  if (names.empty()) return "none";
  const bool more = names.size() > most;
  if (more) names.resize(most);
  return fmt::format("{}{}", fmt::join(names, ", "), more ? ", …" : "");
}

const char* plural(Asked::Kind kind) {
  switch (kind) {
    case Asked::Kind::environment:
      return "environments";
    case Asked::Kind::package:
      return "packages";
    case Asked::Kind::store_path:
      return "store paths";
  }
  return "?";
}

Verdict check_signers(const Policy& policy, const Allow& rule, const Asked& asked) {
  const auto& found = asked.provenance.signers;
  if (rule.signers.empty() || std::ranges::any_of(found, [&](const std::string& signer) {
        return any_matches(rule.signers, signer);
      }))
    return granted(policy, &rule);
  std::vector<std::string> wanted;
  for (const Pattern& signer : rule.signers) wanted.push_back(signer.text());
  Verdict verdict =
      denied(policy, &rule,
             fmt::format("{} asks for a signature of {} on {}, which {}", called(policy, rule),
                         fmt::join(wanted, " or "), asked.to_string(),
                         found.empty() ? "has no verified one"
                                       : fmt::format("is signed by {}", fmt::join(found, ", "))));
  verdict.undecided = !asked.answered;
  return verdict;
}

}  // namespace

const char* to_string(StoreView view) noexcept { return view == StoreView::node ? "node" : "closure"; }

std::string Subject::to_string() const {
  std::string text = pod_namespace.empty() ? std::string("pods without a namespace")
                                           : fmt::format("namespace '{}'", printable(pod_namespace, shown));
  if (service_account) text += fmt::format(", service account '{}'", printable(*service_account, shown));
  return text;
}

std::string Asked::to_string() const {
  const std::string called = printable(name, shown), which = printable(version, shown);
  switch (kind) {
    case Kind::environment:
      return fmt::format("environment {}{}{}", called, which.empty() ? "" : ":", which);
    case Kind::package:
      return fmt::format("package {}{}{}", called, which.empty() ? "" : "@", which);
    case Kind::store_path:
      return "store path " + called;
  }
  return called;
}

Asked asked_for(std::string_view reference) {
  if (reference.starts_with('/'))
    return {.kind = Asked::Kind::store_path,
            .name = nix::StorePath::parse(reference).base_name(),
            .version = {},
            .provenance = {}};
  if (catalog::is_environment_name(reference)) {
    const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
    return {.kind = Asked::Kind::environment,
            .name = name.owner + "/" + name.name,
            .version = name.generation ? std::to_string(*name.generation) : "",
            .provenance = {},
            .answered = false};
  }
  return {.kind = Asked::Kind::package,
          .name = env::parse_package(std::string(reference)).descriptor.pkg_path,
          .version = {},
          .provenance = {},
          .answered = false};
}

Standing standing_of(const Policy& policy, const Subject& subject) {
  Standing standing;
  Terms& terms = standing.terms;
  terms.install = policy.defaults.install;
  terms.prefetch = policy.defaults.prefetch;
  terms.nix_mutable = policy.defaults.nix_mutable;
  terms.store_view = policy.defaults.store_view;
  if (!policy.has_rules()) return standing;
  for (const Deny& rule : policy.denies) {
    if (!rule.things.empty()) continue;
    const Match pods = match(rule.pods, subject);
    if (pods == Match::no) continue;
    standing.verdict = pods == Match::yes ? denied_by(policy, rule, subject, "everything")
                                          : denied_for_unknown_account(policy, rule);
    return standing;
  }
  for (const Allow& rule : policy.allows) {
    const Match pods = match(rule.pods, subject);
    if (pods == Match::no) continue;
    if (pods == Match::unknown) {
      standing.verdict = denied_for_unknown_account(policy, rule);
      return standing;
    }
    terms.rule = &rule;
    terms.install = rule.install.value_or(terms.install);
    terms.prefetch = rule.prefetch.value_or(terms.prefetch);
    terms.nix_mutable = rule.nix_mutable.value_or(terms.nix_mutable);
    terms.store_view = rule.store_view.value_or(terms.store_view);
    terms.closure_size = rule.closure_size.value_or(terms.closure_size);
    terms.realise_time = rule.realise_time;
    standing.verdict = granted(policy, &rule);
    return standing;
  }
  standing.verdict =
      denied(policy, nullptr, fmt::format("no rule of {} allows {}", policy.file, subject.to_string()));
  return standing;
}

Verdict decide_part(const Policy& policy, const Subject& subject, const Asked& asked) {
  return forbidden(policy, subject, asked).value_or(Verdict());
}

Verdict decide(const Policy& policy, const Subject& subject, const Asked& asked) {
  if (auto verdict = forbidden(policy, subject, asked)) return *std::move(verdict);
  const Standing standing = standing_of(policy, subject);
  if (!standing.verdict.allowed || standing.terms.rule == nullptr) return standing.verdict;
  const Allow& rule = *standing.terms.rule;
  const Match thing = match(rule.things, asked);
  if (thing == Match::yes) return check_signers(policy, rule, asked);
  const std::string reason = thing == Match::unknown ? missing(rule.things, asked)
                                                     : fmt::format("its {} are {}", plural(asked.kind),
                                                                   allowed_list(rule.things, asked.kind));
  Verdict verdict = denied(policy, &rule,
                           fmt::format("{} does not allow {} to {}: {}", called(policy, rule),
                                       asked.to_string(), subject.to_string(), reason));
  verdict.undecided = thing == Match::unknown && !asked.answered;
  return verdict;
}

Provenance provenance_of(const catalog::Origin& origin) {
  if (!origin) return {};
  Provenance provenance{.owner = origin->owner, .signers = {}};
  for (const trust::SignerName& signer : origin->signers) {
    provenance.signers.push_back(signer.keyid);
    // An owner names its keys as it likes, also as another's id.
    if (!signer.name.empty() && !is_key_id(signer.name)) provenance.signers.push_back(signer.name);
  }
  return provenance;
}

Asked asked_of(const env::LockedPackage& package, Provenance provenance) {
  return {.kind = Asked::Kind::package,
          .name = package.attr_path,
          .version = package.version,
          .provenance = std::move(provenance)};
}

Verdict decide_lock(const Policy& policy, const Subject& subject, const Asked& wanted,
                    const env::Lockfile& published, const env::Lockfile& lock, std::string_view system,
                    const PackageProvenances& chosen) {
  const bool is_package = wanted.kind == Asked::Kind::package;
  Verdict verdict = is_package ? standing_of(policy, subject).verdict : decide(policy, subject, wanted);
  if (!verdict.allowed) return verdict;
  std::set<std::pair<std::string, std::string>> known;
  for (const auto& package : published.packages) known.insert({package.attr_path, package.version});
  for (const auto& package : lock.for_system(system)) {
    Asked part = asked_of(package, wanted.provenance);
    if (!is_package && known.contains({package.attr_path, package.version})) {
      if (Verdict denial = decide_part(policy, subject, part); !denial.allowed) return denial;
      continue;
    }
    if (const auto proved = chosen.find(package.attr_path); proved != chosen.end())
      part.provenance = proved->second;
    else if (!is_package || part.name != wanted.name)
      part.provenance = {};
    verdict = decide(policy, subject, part);
    if (!verdict.allowed) return verdict;
  }
  return verdict;
}

Verdict decide_size(const Policy& policy, const Subject& subject, uint64_t bytes) {
  const Standing standing = standing_of(policy, subject);
  if (!standing.verdict.allowed || bytes <= standing.terms.closure_size) return standing.verdict;
  return denied(
      policy, standing.terms.rule,
      fmt::format("{} allows closures of {}, and this one has {}", called(policy, *standing.terms.rule),
                  size_text(standing.terms.closure_size), size_text(bytes)));
}

bool looks_into_closures(const Policy& policy) {
  return std::ranges::any_of(policy.denies,
                             [](const Deny& rule) { return !rule.things.store_paths.empty(); });
}

bool denies_owners(const Policy& policy) {
  return std::ranges::any_of(policy.denies, [](const Deny& rule) { return !rule.things.owners.empty(); });
}

Verdict decide_closure(const Policy& policy, const Subject& subject, const nix::StorePathSet& closure) {
  for (const Deny& rule : policy.denies) {
    if (rule.things.store_paths.empty()) continue;
    const Match pods = match(rule.pods, subject);
    if (pods == Match::no) continue;
    for (const nix::StorePath& path : closure) {
      if (!any_matches(rule.things.store_paths, path.base_name())) continue;
      return pods == Match::unknown
                 ? denied_for_unknown_account(policy, rule)
                 : denied_by(policy, rule, subject, fmt::format("closures with {}", path.base_name()));
    }
  }
  return {};
}

Verdict decide_install(const Policy& policy, const Subject& subject) {
  const Standing standing = standing_of(policy, subject);
  if (!standing.verdict.allowed || standing.terms.install) return standing.verdict;
  const Allow* rule = standing.terms.rule;
  if (rule == nullptr)
    return denied(
        policy, nullptr, "this node forbids it",
        "Name the environment in the annotation flox.dev/environment, or ask for pod_install = true "
        "in /etc/flox/config.toml.");
  return denied(policy, rule, fmt::format("{} forbids it", called(policy, *rule)),
                "Name the environment in the annotation flox.dev/environment.");
}

Verdict decide_prefetch(const Policy& policy, const Subject& subject) {
  const Standing standing = standing_of(policy, subject);
  if (!standing.verdict.allowed || standing.terms.prefetch) return standing.verdict;
  const Allow* rule = standing.terms.rule;
  if (rule == nullptr)
    return denied(policy, nullptr, "this node does not prefetch for pods",
                  "Ask the node's operator for it, or for pod_prefetch = true in /etc/flox/config.toml.");
  return denied(policy, rule, fmt::format("{} does not allow prefetching", called(policy, *rule)),
                "Ask the node's operator for it, or for prefetch = true in that rule.");
}

Verdict decide_start(const Policy& policy, const Start& start) {
  const Standing standing = standing_of(policy, start.subject);
  if (!standing.verdict.allowed) return standing.verdict;
  const Terms& terms = standing.terms;
  const Allow* rule = terms.rule;
  if (start.nix_mutable && !terms.nix_mutable) {
    if (rule != nullptr)
      return denied(
          policy, rule,
          fmt::format("nix-mutable: {} does not allow containers to change /nix", called(policy, *rule)),
          "Remove the annotation flox.dev/nix-mutable.");
    return denied(policy, rule, "nix-mutable: this node does not allow containers to change /nix",
                  "Remove the annotation flox.dev/nix-mutable, or use a node with allow_nix_mutable = true.");
  }
  if (start.store_view == StoreView::node && terms.store_view == StoreView::closure) {
    if (rule != nullptr)
      return denied(
          policy, rule,
          fmt::format("store-view 'node': {} shows containers only their own closure", called(policy, *rule)),
          "Remove the annotation flox.dev/store-view.");
    return denied(policy, rule, "store-view 'node': containers of this node see only their own closure",
                  "Remove the annotation flox.dev/store-view, or use a node with store_view = \"node\".");
  }
  return start.environment ? decide(policy, start.subject, *start.environment) : standing.verdict;
}

}  // namespace flox::policy
