#include "node/floxd/published_profiles.h"

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/settings/units.h"

namespace flox::node {

PublishedProfiles::PublishedProfiles(Ask ask, Times times) : ask_(std::move(ask)), times_(times) {
  thread_ = std::thread([this] { run(); });
}

PublishedProfiles::~PublishedProfiles() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<catalog::StartProfile> PublishedProfiles::find(const std::string& reference) {
  std::unique_lock lock(mutex_);
  if (stop_ || (rests_until_ && Clock::now() < *rests_until_)) return std::nullopt;
  const auto question = std::make_shared<Question>(Question{.reference = reference});
  waiting_.push_back(question);
  changed_.notify_all();
  changed_.wait_for(lock, times_.patience, [&] { return question->is_answered || stop_; });
  if (question->is_answered) return std::move(question->answer);
  std::erase(waiting_, question);
  if (!stop_)
    rest(reference, fmt::format("the catalog has not answered in {}",
                                duration_text(std::chrono::ceil<std::chrono::seconds>(times_.patience))));
  return std::nullopt;
}

void PublishedProfiles::rest(const std::string& reference, const std::string& why) {
  rests_until_ = Clock::now() + times_.rest;
  log::warning("{} starts without its published start profile: {}; the catalog is asked for none within {}",
               printable(reference, 200), why,
               duration_text(std::chrono::ceil<std::chrono::seconds>(times_.rest)));
}

void PublishedProfiles::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    const std::shared_ptr<Question> question = waiting_.front();
    waiting_.pop_front();
    std::optional<catalog::StartProfile> answer;
    std::string why;
    lock.unlock();
    try {
      answer = ask_(question->reference);
    } catch (const std::exception& error) {
      why = message_of(error);
    }
    lock.lock();
    if (!why.empty() && !stop_) rest(question->reference, why);
    question->answer = std::move(answer);
    question->is_answered = true;
    changed_.notify_all();
  }
}

}  // namespace flox::node
