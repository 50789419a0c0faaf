// How long the policy takes to decide, microseconds: the median and the slowest of a hundred of many
// decisions.
//   policy_time RULES
// RULES rules for namespaces of three patterns each; the pod's is the last one. Of each start it decides what
// floxd decides: whether the pod has a rule, its package, and 20 packages of an environment against 10
// denials.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/policy/decision.h"
#include "node/policy/reader.h"

namespace {

using namespace flox;

policy::Policy policy_with(size_t rules) {
  std::string text;
  for (size_t i = 0; i < 10; ++i)
    text += fmt::format("[[deny]]\nname = \"deny-{}\"\npackages = [\"bad-{}-*@<2.{}\"]\n", i, i, i);
  for (size_t i = 0; i + 10 < rules; ++i)
    text += fmt::format(
        "[[allow]]\nname = \"team-{}\"\nnamespaces = [\"team-{}\", \"team-{}-*\", \"*-of-{}\"]\n"
        "environments = [\"team-{}/*\", \"shared/*\"]\npackages = [\"python3@>=3.11\", \"lib*\", "
        "\"web-?\"]\n",
        i, i, i, i, i);
  return policy::read_policy(text, "policy.toml");
}

bool decide_start(const policy::Policy& policy, const std::string& pod_namespace) {
  const policy::Start start{.subject = {.pod_namespace = pod_namespace, .service_account = "default"},
                            .environment = policy::asked_for("shared/web"),
                            .store_view = policy::StoreView::closure};
  bool allowed = policy::decide_start(policy, start).allowed;
  for (int i = 0; i < 20; ++i)
    allowed = allowed && policy::decide_part(policy, start.subject,
                                             {.kind = policy::Asked::Kind::package,
                                              .name = "python3-module",
                                              .version = "3.11.2",
                                              .provenance = {}})
                             .allowed;
  return allowed;
}

}  // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  if (argc != 2) {
    std::fputs("usage: policy_time RULES\n", stderr);
    return 2;
  }
  try {
    const size_t rules = std::strtoul(argv[1], nullptr, 10);
    if (rules < 11) fail(ErrorKind::invalid_input, "{} rules: at least 11 are needed", argv[1]);
    const policy::Policy policy = policy_with(rules);
    const std::string pod_namespace = fmt::format("team-{}-blue", rules - 11);
    std::vector<double> times;
    for (int i = 0; i < 2000; ++i) {
      const auto start = Clock::now();
      if (!decide_start(policy, pod_namespace)) fail(ErrorKind::internal, "the pod is denied");
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    std::ranges::sort(times);
    std::printf("%.1f %.1f\n", times[times.size() / 2], times[times.size() * 99 / 100]);
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
