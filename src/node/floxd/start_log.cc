#include "node/floxd/start_log.h"

#include <algorithm>

#include "base/foreign_error.h"
#include "base/printable.h"

namespace flox::node {
namespace {

constexpr size_t most_name = 300;    // characters: what a pod may call itself
constexpr size_t most_error = 2000;  // characters
constexpr size_t most_stages = 64;   // of one start; a container with many volumes has more

thread_local StartLog::Start* present_start = nullptr;

}  // namespace

std::string_view to_string(StartLog::State state) noexcept {
  switch (state) {
    case StartLog::State::waiting:
      return "waiting";
    case StartLog::State::running:
      return "running";
    case StartLog::State::prepared:
      return "prepared";
    case StartLog::State::failed:
      return "failed";
  }
  return "?";
}

StartLog::Start* StartLog::Start::current() noexcept { return present_start; }

StartLog::Start::Turn::Turn(Start& start) : outer_(present_start) {
  present_start = &start;
  const std::scoped_lock lock(start.log_.mutex_);
  if (!start.record_) return;
  (*start.record_)->state = State::running;
  (*start.record_)->wait = Wait::none;
}

StartLog::Start::Turn::~Turn() { present_start = outer_; }

void StartLog::Start::set_wait(Wait wait) {
  const std::scoped_lock lock(log_.mutex_);
  if (record_) (*record_)->wait = wait;
}

StartLog::Start::WaitsForSame::WaitsForSame() {
  if (present_start != nullptr) present_start->set_wait(Wait::same);
}

StartLog::Start::WaitsForSame::~WaitsForSame() {
  if (present_start != nullptr) present_start->set_wait(Wait::none);
}

StartLog::Start::~Start() {
  const std::scoped_lock lock(log_.mutex_);
  if (record_) log_.records_.erase(*record_);
}

void StartLog::Start::belongs_to(std::string trace_id) {
  const std::scoped_lock lock(log_.mutex_);
  if (record_) (*record_)->trace_id = std::move(trace_id);
}

size_t StartLog::Start::stage_began(std::string_view name) {
  const std::scoped_lock lock(log_.mutex_);
  if (!record_ || (*record_)->stages.size() >= most_stages) return most_stages;
  std::vector<Stage>& stages = (*record_)->stages;
  stages.push_back({.name = name, .began = Clock::now(), .since = std::chrono::steady_clock::now()});
  return stages.size() - 1;
}

void StartLog::Start::stage_ended(size_t stage, bool has_failed) {
  const std::scoped_lock lock(log_.mutex_);
  if (!record_ || stage >= (*record_)->stages.size()) return;
  Stage& ended = (*record_)->stages[stage];
  ended.took =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - ended.since);
  ended.is_over = true;
  ended.has_failed = has_failed;
}

void StartLog::Start::progress(const store::RealiseProgress& progress) {
  const std::scoped_lock lock(log_.mutex_);
  if (record_) (*record_)->progress = progress;
}

void StartLog::Start::eager(std::string why) {
  const std::scoped_lock lock(log_.mutex_);
  if (record_) (*record_)->lazy = printable(why, most_error);
}

void StartLog::Start::lazy(const LazyBegin& begin, std::shared_ptr<const LazyProgress> progress) {
  const std::scoped_lock lock(log_.mutex_);
  if (!record_) return;
  (*record_)->lazy = "lazy";
  (*record_)->lazy_begin = begin;
  (*record_)->lazy_progress = std::move(progress);
}

void StartLog::Start::prepared(std::string profile) {
  const std::scoped_lock lock(log_.mutex_);
  if (!record_) return;
  (*record_)->profile = std::move(profile);
  log_.end(*this, State::prepared);
}

void StartLog::Start::failed(const std::exception& error) {
  const std::scoped_lock lock(log_.mutex_);
  if (!record_) return;
  (*record_)->error = printable(message_of(error), most_error);
  if (const auto* known = dynamic_cast<const Error*>(&error))
    (*record_)->advice = printable(known->advice(), most_error);
  log_.end(*this, State::failed);
}

std::shared_ptr<StartLog::Start> StartLog::begin(const v1::PrepareRequest& request) {
  const auto text = [](const std::string& of) { return printable(of, most_name); };
  auto start = std::make_shared<Start>(*this);
  const std::scoped_lock lock(mutex_);
  records_.push_back(
      {.container_id = text(request.container_id()),
       .pod_namespace = text(request.pod_namespace()),
       .pod_name = text(request.pod_name()),
       .pod_uid = text(request.pod_uid()),
       .container_name = text(request.container_name()),
       .environment = text(request.image_id().empty() ? request.environment() : request.image_environment()),
       .asked_at = Clock::now()});
  start->record_ = std::prev(records_.end());
  return start;
}

void StartLog::end(Start& start, State state) {
  Record& record = **start.record_;
  start.record_.reset();
  record.state = state;
  record.wait = Wait::none;
  record.ended_at = Clock::now();
  // "prepare", which is all of it, has not ended yet.
  for (Stage& stage : record.stages)
    if (!stage.is_over) {
      stage.took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                         stage.since);
      stage.is_over = true;
      stage.has_failed = state == State::failed;
    }

  ++of_namespace_[record.pod_namespace];
  ++ended_;
  make_room(record.pod_namespace);
}

// However often the containers of one namespace start, the starts of the others stay.
void StartLog::make_room(const std::string& pod_namespace) {
  std::string from = pod_namespace;
  if (of_namespace_[from] <= most_of_namespace) {
    if (ended_ <= most) return;
    from = std::ranges::max_element(of_namespace_, {}, [](const auto& known) { return known.second; })->first;
  }
  const auto oldest = std::ranges::find_if(
      records_, [&](const Record& record) { return !record.is_under_way() && record.pod_namespace == from; });
  records_.erase(oldest);
  --ended_;
  if (--of_namespace_[from] == 0) of_namespace_.erase(from);
}

std::vector<StartLog::Record> StartLog::starts() const {
  const std::scoped_lock lock(mutex_);
  return {records_.begin(), records_.end()};
}

size_t StartLog::under_way() const {
  const std::scoped_lock lock(mutex_);
  return records_.size() - ended_;
}

}  // namespace flox::node
