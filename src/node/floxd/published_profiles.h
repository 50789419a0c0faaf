// Start profiles that were published in the catalog (docs/formats/start-profile.md), for starts that cannot
// wait for it long: a profile is worth less than what it may cost.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "catalog/start_profile.h"

namespace flox::node {

// Thread-safe.
class PublishedProfiles {
 public:
  // Asks the catalog for that of a reference ("OWNER/NAME[:GENERATION]", "PACKAGE[@VERSION]"); throws Error.
  using Ask = std::function<std::optional<catalog::StartProfile>(const std::string& reference)>;
  struct Times {
    std::chrono::milliseconds patience{2000};  // of a start
    std::chrono::milliseconds rest{60'000};    // after the catalog did not answer
  };
  explicit PublishedProfiles(Ask ask) : PublishedProfiles(std::move(ask), Times()) {}
  PublishedProfiles(Ask ask, Times times);
  // `ask` must return soon by then.
  ~PublishedProfiles();
  PublishedProfiles(const PublishedProfiles&) = delete;
  PublishedProfiles& operator=(const PublishedProfiles&) = delete;

  // Nothing: nothing was published, or the catalog did not say in time, which is logged. Then nobody is asked
  // for a while.
  std::optional<catalog::StartProfile> find(const std::string& reference);

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    std::string reference;
    std::optional<catalog::StartProfile> answer = {};
    bool is_answered = false;
  };
  void run();
  void rest(const std::string& reference, const std::string& why);  // under the mutex

  const Ask ask_;
  const Times times_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Question>> waiting_;
  std::optional<Clock::time_point> rests_until_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace flox::node
