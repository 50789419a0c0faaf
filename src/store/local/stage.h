// One step of a pipeline: a thread of its own that consumes what the step before it makes.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace flox::store {

class Stage {
 public:
  // `consume` is called with the blocks in order, on the stage's thread. At most `depth` blocks wait.
  Stage(std::function<void(std::string_view)> consume, size_t depth);
  // Forgets what waits.
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Waits for room. Rethrows what `consume` has thrown.
  void push(std::shared_ptr<const std::string> block);
  // Waits until all is consumed. Rethrows what `consume` has thrown.
  void finish();

 private:
  void run();

  std::function<void(std::string_view)> consume_;
  const size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const std::string>> blocks_;
  bool ended_ = false;
  bool abandoned_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace flox::store
