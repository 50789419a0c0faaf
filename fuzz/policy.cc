// policy.toml: whatever it says, it is refused or gives a policy that decides, explains itself and denies by
// default.
#include "fuzz.h"
#include "node/policy/admission.h"
#include "node/policy/decision.h"
#include "node/policy/explain.h"
#include "node/policy/reader.h"

namespace flox::fuzz::of_policy {

void one(std::string_view input) {
  policy::Policy read;
  if (!accepts([&] { read = policy::read_policy(expanded(input), "policy.toml"); })) return;
  require(read.has_rules(), "a policy has a rule");
  for (const char* pod_namespace : {"", "default", "shop"}) {
    const policy::Subject known{.pod_namespace = pod_namespace, .service_account = "default"};
    const policy::Subject unknown{.pod_namespace = pod_namespace, .service_account = {}};
    for (const char* name : {"acme/web", "acme/web:3", "python3@3.11", "x"}) {
      policy::Asked asked;
      accepts([&] { asked = policy::asked_for(name); });
      const policy::Verdict verdict = policy::decide(read, known, asked);
      require(verdict.allowed == verdict.why.empty(), "a denial has a reason");
      require(!verdict.allowed || policy::decide_part(read, known, asked).allowed,
              "what a rule denies is not allowed");
      require(!policy::decide(read, unknown, asked).allowed || verdict.allowed,
              "a pod whose account is not known may have no more than others");
      require(!policy::decide(read, known, asked).allowed ||
                  policy::standing_of(read, known).terms.rule != nullptr,
              "only a rule allows");
    }
  }
  policy::explain(read, "shop");
  policy::admission(read, "flox-policy");
}

}  // namespace flox::fuzz::of_policy
