// What Kubernetes and a node's floxd say about a pod, and the account that is made of it: of others' JSON, in
// any form.
#include "base/data/json.h"
#include "fuzz.h"
#include "kubectl/pod/account.h"
#include "kubectl/pod/fields.h"

namespace flox::fuzz::of_pod_account {

void one(std::string_view input) {
  // Years have four digits.
  if (const auto time = kubectl::parse_time(input))
    require(*time < 253'402'300'801'000, "a time is in the years that it can be in");
  nlohmann::json document;
  if (!accepts([&] { document = parse_json(input, "input"); }, {ErrorKind::invalid_input})) return;
  const kubectl::PodState pod = kubectl::read_pod(kubectl::at(document, {"pod"}));
  const std::vector<kubectl::Event> events = kubectl::read_events(kubectl::at(document, {"events"}));
  std::optional<std::vector<kubectl::StartState>> starts;
  if (kubectl::at(document, {"floxd"}).is_object())
    starts = kubectl::read_starts(kubectl::at(document, {"floxd"}));
  const kubectl::Account account =
      kubectl::account_of(pod, events, starts, kubectl::number_at(document, {"now"}));
  require(!account.verdict.text.empty(), "there is always a verdict");
  for (size_t i = 1; i < account.entries.size(); ++i)
    require(account.entries[i - 1].at <= account.entries[i].at, "the timeline is in order");
}

}  // namespace flox::fuzz::of_pod_account
