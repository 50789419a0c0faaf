#include "node/floxd/prefetch_messages.h"

#include <algorithm>

namespace flox::node {
namespace {

using prefetch::v1::Answer;

// Longer ones are refused as too long, and not because they are another number then.
constexpr uint64_t longest_deadline = 100ULL * 365 * 24 * 3600;  // seconds

template <typename Request>
std::vector<std::string> names_in(const Request& request) {
  return {request.environments().begin(), request.environments().end()};
}

Answer to_answer(const std::vector<Prefetcher::Status>& statuses) {
  Answer answer;
  for (const auto& [record, progress] : statuses) {
    prefetch::v1::Prefetch& one = *answer.add_prefetches();
    one.set_environment(record.environment);
    one.set_tenant(name_of_tenant(record.tenant));
    one.set_state(std::string(to_string(record.state)));
    one.set_profile(record.profile);
    one.set_reason(record.reason);
    one.set_advice(record.advice);
    one.set_asked_at(record.asked_at);
    one.set_deadline(record.deadline);
    one.set_kept_until(record.kept_until);
    one.set_closure_size(record.closure_size);
    if (record.state != PrefetchRecord::State::fetching) continue;
    one.set_paths_total(progress.paths_total);
    one.set_paths_done(progress.paths_done);
    one.set_bytes_total(progress.bytes_total);
    one.set_bytes_fetched(progress.bytes_fetched);
    one.set_bytes_per_second(static_cast<uint64_t>(progress.bytes_per_second));
  }
  return answer;
}

}  // namespace

Answer prefetch_add(Prefetcher& prefetches, const Container* asking,
                    const prefetch::v1::AddRequest& request) {
  const auto time =
      std::chrono::seconds(static_cast<int64_t>(std::min(request.deadline_seconds(), longest_deadline)));
  return to_answer(prefetches.add(asking, names_in(request), time));
}

Answer prefetch_show(Prefetcher& prefetches, const Container* asking,
                     const prefetch::v1::ShowRequest& request) {
  return to_answer(prefetches.show(asking, names_in(request)));
}

Answer prefetch_cancel(Prefetcher& prefetches, const Container* asking,
                       const prefetch::v1::CancelRequest& request) {
  return to_answer(prefetches.cancel(asking, names_in(request)));
}

}  // namespace flox::node
