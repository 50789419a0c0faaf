#include "node/policy/admission.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace flox::policy {
namespace {

// A string of CEL, and one of YAML: both read JSON's escapes.
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

// What matches one of the patterns as a whole, with `tail` behind it.
std::string expression_for(const std::vector<Pattern>& patterns, std::string_view tail = "") {
  std::vector<std::string> texts;
  for (const Pattern& pattern : patterns) texts.push_back(pattern.regular_expression());
  return fmt::format("^(?:{}){}$", fmt::join(texts, "|"), tail);
}

std::vector<Pattern> names_of(const std::vector<Choice>& choices, bool with_constraint) {
  std::vector<Pattern> names;
  for (const Choice& choice : choices)
    if (with_constraint || !choice.versions) names.push_back(choice.name);
  return names;
}

std::string matches(std::string_view value, const std::string& expression) {
  return fmt::format("{}.matches({})", value, quoted(expression));
}

std::string all_of(const std::vector<std::string>& terms) {
  return terms.empty() ? "true" : fmt::format("{}", fmt::join(terms, " && "));
}
std::string any_of(const std::vector<std::string>& terms) {
  return terms.empty() ? "false" : fmt::format("({})", fmt::join(terms, " || "));
}

// Whether a rule is for the pod.
std::string condition_of(const Pods& pods) {
  std::vector<std::string> terms;
  const auto add = [&](std::string_view value, const std::vector<Pattern>& patterns) {
    if (!patterns.empty() &&
        std::ranges::none_of(patterns, [](const Pattern& pattern) { return pattern.text() == "*"; }))
      terms.push_back(matches(value, expression_for(patterns)));
  };
  add("request.namespace", pods.namespaces);
  add("variables.account", pods.service_accounts);
  return all_of(terms);
}

// Whether what the annotation `w` names can be among the things, or, with `surely`, is.
std::string condition_of(const Things& things, bool surely) {
  std::vector<std::string> terms;
  const auto add = [&](const std::vector<Pattern>& patterns, std::string_view tail) {
    if (!patterns.empty()) terms.push_back(matches("w", expression_for(patterns, tail)));
  };
  add(names_of(things.environments, !surely), "(?::[0-9]+)?");
  add(names_of(things.packages, !surely), "(?:@.*)?");
  add(things.owners, "/.*");
  // Whose a package is, its metadata say.
  if (!surely && !things.owners.empty()) terms.push_back(matches("w", "^[^/]+$"));
  return any_of(terms);
}

class Document {
 public:
  explicit Document(const Policy& policy) : policy_(policy) {}

  std::string called(const Rule& rule) const {
    return fmt::format("rule '{}' ({})", rule.name, policy_.place_of(rule));
  }
  // Pods that are not flox's are none of this policy's business.
  void require(const std::string& expression, const std::string& message) {
    text_ += fmt::format("  - expression: {}\n    message: {}\n    reason: Forbidden\n",
                         quoted("!variables.flox || " + expression), quoted(message));
  }
  void remark(const Rule& rule, const std::vector<std::string>& left) {
    if (!left.empty())
      text_ += fmt::format("  # {}: the node decides about {}.\n", called(rule), fmt::join(left, ", "));
  }
  void deny(const Deny& rule) {
    const std::string pods = condition_of(rule.pods);
    std::vector<std::string> left;
    const auto has_versions = [](const Choice& choice) { return choice.versions.has_value(); };
    if (std::ranges::any_of(rule.things.environments, has_versions)) left.push_back("generations");
    if (std::ranges::any_of(rule.things.packages, has_versions)) left.push_back("versions");
    if (!rule.things.owners.empty()) left.push_back("owners of packages");
    if (!rule.things.store_paths.empty()) left.push_back("store paths");
    left.push_back("packages within environments, and those that pods install");
    if (!rule.things.empty()) remark(rule, left);
    const std::string what =
        rule.things.empty() ? std::string("everything")
                            : fmt::format("variables.wanted.exists(w, {})", condition_of(rule.things, true));
    if (rule.things.empty())
      require(fmt::format("!({})", pods), called(rule) + " denies everything to this pod");
    else if (condition_of(rule.things, true) != "false")
      require(fmt::format("!({}) || !{}", pods, what),
              called(rule) + " denies what the pod names" + (rule.reason.empty() ? "" : ": " + rule.reason));
  }
  void allow(const Allow& rule, size_t number) {
    std::vector<std::string> left;
    if (!rule.signers.empty()) left.push_back("signers");
    if (!rule.things.owners.empty()) left.push_back("owners of packages");
    const auto has_versions = [](const Choice& choice) { return choice.versions.has_value(); };
    if (std::ranges::any_of(rule.things.environments, has_versions)) left.push_back("generations");
    if (std::ranges::any_of(rule.things.packages, has_versions)) left.push_back("versions");
    if (rule.closure_size) left.push_back("the closure's size");
    if (rule.realise_time) left.push_back("the time to realise");
    left.push_back("what pods install");
    remark(rule, left);
    const std::string other = fmt::format("variables.rule != {}", number);
    require(fmt::format("{} || variables.wanted.all(w, {})", other, condition_of(rule.things, false)),
            called(rule) + " does not allow what the pod names");
    if (!rule.nix_mutable.value_or(policy_.defaults.nix_mutable))
      require(fmt::format("{} || !('flox.dev/nix-mutable' in variables.annotations) || "
                          "variables.annotations['flox.dev/nix-mutable'] != 'true'",
                          other),
              "flox.dev/nix-mutable: " + called(rule) + " does not allow containers to change /nix");
    if (rule.store_view.value_or(policy_.defaults.store_view) == StoreView::closure)
      require(fmt::format("{} || !('flox.dev/store-view' in variables.annotations) || "
                          "variables.annotations['flox.dev/store-view'] != 'node'",
                          other),
              "flox.dev/store-view: " + called(rule) + " shows containers only their own closure");
  }
  const std::string& text() const { return text_; }

 private:
  const Policy& policy_;
  std::string text_;
};

constexpr std::string_view variables = R"yaml(  variables:
  - name: annotations
    expression: "has(object.metadata.annotations) ? object.metadata.annotations : {}"
  - name: flox
    expression: "(has(object.spec.runtimeClassName) && object.spec.runtimeClassName == 'flox') || variables.annotations.exists(k, k.startsWith('flox.dev/'))"
  - name: account
    expression: "has(object.spec.serviceAccountName) && object.spec.serviceAccountName != '' ? object.spec.serviceAccountName : 'default'"
  - name: wanted
    expression: "variables.annotations.filter(k, (k == 'flox.dev/environment' || k.startsWith('flox.dev/environment.')) && variables.annotations[k] != '').map(k, variables.annotations[k])"
)yaml";

}  // namespace

std::string admission(const Policy& policy, const std::string& name) {
  std::vector<std::string> conditions;
  for (const Allow& rule : policy.allows) conditions.push_back(condition_of(rule.pods));
  Document document(policy);
  for (const Deny& rule : policy.denies) document.deny(rule);
  document.require(
      "variables.rule >= 0",
      fmt::format("no rule of {} allows pods of this namespace and service account", policy.file));
  for (size_t i = 0; i < policy.allows.size(); ++i) document.allow(policy.allows[i], i);
  return fmt::format(
      "# Made by 'flox policy admission' of {}. Make it anew when that changes.\n"
      "# It refuses early what floxd on the node would refuse, and sees what stands in the pod's manifest. "
      "floxd\n"
      "# decides about the rest: signers, sizes of closures, and what else is named below.\n"
      "apiVersion: admissionregistration.k8s.io/v1\n"
      "kind: ValidatingAdmissionPolicy\n"
      "metadata:\n"
      "  name: {}\n"
      "spec:\n"
      "  failurePolicy: Fail\n"
      "  matchConstraints:\n"
      "    resourceRules:\n"
      "    - apiGroups: [\"\"]\n"
      "      apiVersions: [v1]\n"
      "      operations: [CREATE]\n"
      "      resources: [pods]\n"
      "{}"
      "  # The number of the first rule that is for the pod, from 0; -1: none is.\n"
      "  - name: rule\n"
      "    expression: {}\n"
      "  validations:\n"
      "{}"
      "---\n"
      "apiVersion: admissionregistration.k8s.io/v1\n"
      "kind: ValidatingAdmissionPolicyBinding\n"
      "metadata:\n"
      "  name: {}\n"
      "spec:\n"
      "  policyName: {}\n"
      "  validationActions: [Deny]\n",
      policy.file, name, variables,
      quoted(conditions.empty() ? "-1" : fmt::format("[{}].indexOf(true)", fmt::join(conditions, ", "))),
      document.text(), name, name);
}

}  // namespace flox::policy
