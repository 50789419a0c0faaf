#include "node/policy/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/settings/units.h"

namespace flox::policy {
namespace {

std::string list(const std::vector<Pattern>& patterns, std::string_view none) {
  if (patterns.empty()) return std::string(none);
  std::vector<std::string> texts;
  for (const Pattern& pattern : patterns) texts.push_back(pattern.text());
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string list(const std::vector<Choice>& choices, char separator) {
  std::vector<std::string> texts;
  for (const Choice& choice : choices)
    texts.push_back(choice.constraint.empty()
                        ? choice.name.text()
                        : fmt::format("{}{}{}", choice.name.text(), separator, choice.constraint));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string whom(const Pods& pods) {
  std::string text = pods.namespaces.empty() || pods.namespaces.front().text() == "*"
                         ? std::string("all namespaces")
                         : fmt::format("namespaces {}", list(pods.namespaces, ""));
  if (!pods.service_accounts.empty())
    text += fmt::format(", service accounts {}", list(pods.service_accounts, ""));
  return text;
}

// One line for each kind of thing that the rule names.
std::string things_of(const Things& things) {
  std::string text;
  const auto line = [&](std::string_view what, const std::string& names) {
    if (!names.empty()) text += fmt::format("     {:<14}{}\n", what, names);
  };
  if (!things.owners.empty())
    line("owners", list(things.owners, "") + " (their environments, and packages that they have signed)");
  line("environments", list(things.environments, ':'));
  line("packages", list(things.packages, '@'));
  line("store paths", list(things.store_paths, ""));
  return text;
}

std::string_view yes_or_no(bool value) { return value ? "yes" : "no"; }

template <typename T>
std::string_view whose(const std::optional<T>& value) {
  return value ? "" : " (the node's setting)";
}

std::string allowed(const Allow& rule, const Defaults& defaults, size_t number) {
  std::string text = fmt::format("  {}. {} (line {}): {}\n", number, rule.name, rule.line, whom(rule.pods));
  const std::string things = things_of(rule.things);
  text += things.empty() ? "     nothing but containers without an environment\n" : things;
  if (!rule.signers.empty())
    text += fmt::format("     {:<14}one of {} must have signed it\n", "signers", list(rule.signers, ""));
  text += fmt::format("     {:<14}{}{}\n", "install", yes_or_no(rule.install.value_or(defaults.install)),
                      whose(rule.install));
  text += fmt::format("     {:<14}{}{}\n", "prefetch", yes_or_no(rule.prefetch.value_or(defaults.prefetch)),
                      whose(rule.prefetch));
  text += fmt::format("     {:<14}{}{}\n", "change /nix",
                      yes_or_no(rule.nix_mutable.value_or(defaults.nix_mutable)), whose(rule.nix_mutable));
  text += fmt::format("     {:<14}{}{}\n", "store view",
                      to_string(rule.store_view.value_or(defaults.store_view)), whose(rule.store_view));
  if (rule.closure_size)
    text += fmt::format("     {:<14}at most {}\n", "closure", size_text(*rule.closure_size));
  if (rule.realise_time)
    text += fmt::format("     {:<14}at most {}\n", "realising", duration_text(*rule.realise_time));
  return text;
}

std::string denied(const Deny& rule) {
  const std::string things = things_of(rule.things);
  return fmt::format("  - {} (line {}): {}{}\n{}", rule.name, rule.line, whom(rule.pods),
                     rule.reason.empty() ? "" : ": " + rule.reason,
                     things.empty() ? "     everything\n" : things);
}

bool can_be_for(const Rule& rule, const std::optional<std::string>& pod_namespace) {
  return !pod_namespace || rule.pods.namespaces.empty() ||
         std::ranges::any_of(rule.pods.namespaces,
                             [&](const Pattern& pattern) { return pattern.matches(*pod_namespace); });
}

}  // namespace

std::string explain(const Policy& policy, const std::optional<std::string>& pod_namespace) {
  if (!policy.has_rules())
    return fmt::format(
        "There is no policy: pods may have every package and environment. By the node's settings they may{} "
        "install\npackages, may{} have them prefetched and may{} change /nix, and see {}.\n",
        policy.defaults.install ? "" : " not", policy.defaults.prefetch ? "" : " not",
        policy.defaults.nix_mutable ? "" : " not",
        policy.defaults.store_view == StoreView::node ? "the whole store" : "only their own closure");
  std::string denies, allows;
  for (const Deny& rule : policy.denies)
    if (can_be_for(rule, pod_namespace)) denies += denied(rule);
  size_t number = 0;
  for (const Allow& rule : policy.allows)
    if (can_be_for(rule, pod_namespace)) allows += allowed(rule, policy.defaults, ++number);
  std::string text = pod_namespace
                         ? fmt::format("What {} says of pods of namespace {}.\n", policy.file, *pod_namespace)
                         : fmt::format("What {} says.\n", policy.file);
  if (!denies.empty()) text += "\nDenied, whatever allows it:\n" + denies;
  if (allows.empty()) return text + "\nNo rule allows anything: these pods do not start.\n";
  return text + "\nAllowed by the first of these rules that is for the pod; everything else is denied:\n" +
         allows;
}

}  // namespace flox::policy
