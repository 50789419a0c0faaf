#include "node/floxd/status_service.h"

#include <algorithm>
#include <chrono>

#include "node/floxd/store_disk.h"

namespace flox::node {
namespace {

constexpr int most_holders = 10;
constexpr size_t most_told = 500;  // starts: some 2 MB

int64_t to_milliseconds(StartLog::Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// The epoch: 0.
void fill(const LazyBegin& begin, const LazyProgress::Figures& figures, status::v1::Start& start) {
  status::v1::LazyStart& lazy = *start.mutable_lazy_start();
  lazy.set_closure_bytes(begin.closure_bytes);
  lazy.set_missing_bytes(begin.missing_bytes);
  lazy.set_has_profile(begin.has_profile);
  lazy.set_profile_bytes(begin.profile_bytes);
  lazy.set_is_published(begin.is_published);
  lazy.set_ready_at(to_milliseconds(figures.ready_at));
  lazy.set_bytes_at_ready(figures.bytes_at_ready);
  lazy.set_whole_at(to_milliseconds(figures.whole_at));
  lazy.set_bytes(figures.bytes);
  lazy.set_reads_waited(figures.reads_waited);
  lazy.set_waited_microseconds(figures.waited_micros);
  for (const LazyFailure& failure : figures.failures) {
    status::v1::LazyFailure& one = *lazy.add_failures();
    one.set_path(failure.path);
    one.set_why(failure.why);
    one.set_at(to_milliseconds(failure.at));
    one.set_reads(failure.reads);
  }
}

void fill(const StartLog::Record& record, status::v1::Start& start) {
  start.set_container_id(record.container_id);
  start.set_pod_namespace(record.pod_namespace);
  start.set_pod_name(record.pod_name);
  start.set_pod_uid(record.pod_uid);
  start.set_container_name(record.container_name);
  start.set_environment(record.environment);
  start.set_trace_id(record.trace_id);
  start.set_asked_at(to_milliseconds(record.asked_at));
  start.set_ended_at(record.is_under_way() ? 0 : to_milliseconds(record.ended_at));
  start.set_state(std::string(to_string(record.state)));
  start.set_error(record.error);
  start.set_advice(record.advice);
  start.set_profile(record.profile);
  start.set_lazy(record.lazy);
  if (record.lazy_progress != nullptr) fill(record.lazy_begin, record.lazy_progress->now(), start);
  for (const StartLog::Stage& stage : record.stages) {
    status::v1::StartStage& one = *start.add_stages();
    one.set_name(std::string(stage.name));
    one.set_began_at(to_milliseconds(stage.began));
    const auto took = stage.is_over ? stage.took
                                    : std::chrono::duration_cast<std::chrono::microseconds>(
                                          std::chrono::steady_clock::now() - stage.since);
    one.set_microseconds(static_cast<uint64_t>(took.count()));
    one.set_is_over(stage.is_over);
    one.set_has_failed(stage.has_failed);
  }
  start.set_paths_total(record.progress.paths_total);
  start.set_paths_done(record.progress.paths_done);
  start.set_bytes_total(record.progress.bytes_total);
  start.set_bytes_fetched(record.progress.bytes_fetched);
  start.set_bytes_per_second(static_cast<uint64_t>(record.progress.bytes_per_second));
}

// For whom it waits: those who have the threads, or the one that has the same environment. The pod `asking`
// may know of its namespace alone.
void fill_waiting(const StartLog::Record& record, const std::vector<StartLog::Record>& all,
                  const Container* asking, status::v1::Start& start) {
  if (!record.is_under_way() || record.wait == StartLog::Wait::none) return;
  const bool is_turn = record.wait == StartLog::Wait::turn;
  status::v1::Waiting& waiting = *start.mutable_waiting();
  waiting.set_reason(is_turn ? "turn" : "same");
  uint64_t others = 0;
  for (const StartLog::Record& other : all) {
    if (other.state != StartLog::State::running || other.wait != StartLog::Wait::none) continue;
    if (!is_turn && other.environment != record.environment) continue;
    const bool is_visible =
        asking == nullptr || (!asking->pod_namespace.empty() && other.pod_namespace == asking->pod_namespace);
    if (is_visible && waiting.holders_size() < most_holders)
      waiting.add_holders(other.pod_namespace + "/" + other.pod_name + "/" + other.container_name);
    else
      ++others;
  }
  waiting.set_others(others);
}

}  // namespace

status::v1::DaemonAnswer StatusService::daemon() const {
  status::v1::DaemonAnswer answer;
  answer.set_version(FLOX_VERSION);
  answer.set_started_at(to_milliseconds(started_at_));
  for (const Lane lane : all_lanes) {
    const FairThreads::Use use = queue_.use(lane);
    status::v1::Lane& one = *answer.add_lanes();
    one.set_name(std::string(to_string(lane)));
    one.set_running(use.running);
    one.set_waiting(use.waiting);
  }
  const StoreDisk disk = disk_of(store_);
  answer.set_disk_total(disk.total);
  answer.set_disk_free(disk.free);
  answer.set_kept_pods(kept_.pods().size());
  answer.set_starts_under_way(starts_.under_way());
  const LazyStarts::Status lazy = lazy_.status();
  status::v1::Lazy& one = *answer.mutable_lazy();
  one.set_mounts(lazy.mounts);
  one.set_closures(lazy.views);
  one.set_unfinished(lazy.unfinished);
  one.set_paths(lazy.paths.paths);
  one.set_bytes(lazy.paths.bytes);
  one.set_bytes_here(lazy.paths.here);
  one.set_reads_waited(lazy.paths.waited);
  one.set_waited_microseconds(lazy.paths.waited_micros);
  one.set_reads_failed(lazy.paths.failed);
  return answer;
}

status::v1::StartsAnswer starts_seen_by(const StartLog& log, const Container* asking,
                                        const status::v1::StartsRequest& request) {
  // Pods of no namespace have nothing in common.
  const auto is_visible = [&](const StartLog::Record& record) {
    return asking == nullptr || (record.pod_namespace == asking->pod_namespace &&
                                 (!asking->pod_namespace.empty() || record.pod_name == asking->pod_name));
  };
  status::v1::StartsAnswer answer;
  const std::vector<StartLog::Record> all = log.starts();
  std::vector<const StartLog::Record*> found;
  for (const StartLog::Record& record : all)
    if (is_visible(record) &&
        (request.pod_namespace().empty() || record.pod_namespace == request.pod_namespace()) &&
        (request.pod_name().empty() || record.pod_name == request.pod_name()))
      found.push_back(&record);
  const size_t first = found.size() > most_told ? found.size() - most_told : 0;
  for (size_t i = first; i < found.size(); ++i) {
    status::v1::Start& start = *answer.add_starts();
    fill(*found[i], start);
    fill_waiting(*found[i], all, asking, start);
  }
  return answer;
}

}  // namespace flox::node
