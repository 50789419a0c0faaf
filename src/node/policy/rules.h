// A node's policy: which pods may have what (docs/reference/policy.md). reader.h makes it of policy.toml,
// decision.h decides by it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "node/policy/pattern.h"
#include "node/policy/store_view.h"

namespace flox::policy {

const char* to_string(StoreView view) noexcept;

// Which pods a rule is for.
struct Pods {
  std::vector<Pattern> namespaces;        // empty: all (of a [[deny]] only)
  std::vector<Pattern> service_accounts;  // empty: all, and those that are not known
};

// A name, and of what is so called which versions; of an environment its generations.
struct Choice {
  Pattern name;
  std::string constraint;  // as it was written; empty: all
  std::optional<catalog::VersionConstraint> versions;
  std::string to_string() const { return constraint.empty() ? name.text() : name.text() + "@" + constraint; }
};

// What a rule names.
struct Things {
  std::vector<Pattern> owners;
  std::vector<Choice> environments;  // OWNER/NAME
  std::vector<Choice> packages;
  std::vector<Pattern> store_paths;  // base names: HASH-NAME
  bool empty() const {
    return owners.empty() && environments.empty() && packages.empty() && store_paths.empty();
  }
};

struct Rule {
  std::string name;
  size_t line = 0;  // where it begins, from 1
  Pods pods;
  Things things;
};

// [[allow]]: all that its pods may have. What is not set is as the node's settings say, or has no limit.
struct Allow : Rule {
  std::vector<Pattern> signers;  // at least one must have signed; empty: no signature is asked for
  std::optional<bool> install, prefetch, nix_mutable;
  std::optional<StoreView> store_view;
  std::optional<uint64_t> closure_size;  // bytes
  std::optional<std::chrono::seconds> realise_time;
};

// [[deny]]: what its pods may not have, whatever allows it; everything if it names nothing.
struct Deny : Rule {
  std::string reason;
};

// What holds where no rule says otherwise: the node's settings.
struct Defaults {
  bool install = true;
  bool prefetch = true;
  bool nix_mutable = false;
  StoreView store_view = StoreView::node;
};

// Immutable once read. Without rules everything is allowed; with one, what none allows is denied.
struct Policy {
  std::string file;
  Defaults defaults;
  std::vector<Deny> denies;
  std::vector<Allow> allows;  // the first one that is for a pod is its rule
  bool has_rules() const { return !denies.empty() || !allows.empty(); }
  std::string place_of(const Rule& rule) const { return file + ":" + std::to_string(rule.line); }
};

}  // namespace flox::policy
