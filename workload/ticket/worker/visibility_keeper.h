// Keeps the messages in hand hidden from other workers for as long as they are in hand.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ticket/backend/backend.h"

namespace ticket {

// A thread that hides what it holds for another `visibility` each time a third of it has passed. Failures are
// logged: a message that is delivered elsewhere meanwhile is stored once all the same. Thread-safe.
class VisibilityKeeper {
 public:
  VisibilityKeeper(Queue& queue, std::chrono::milliseconds visibility);
  ~VisibilityKeeper();
  void hold(const std::vector<Message>& messages);
  // Waits for a call that is under way: nothing hides these messages any more once it returns.
  void let_go(const std::vector<std::string>& receipts);
  size_t held() const;

 private:
  void run();

  Queue& queue_;
  std::chrono::milliseconds visibility_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> receipts_;
  bool ending_ = false;
  bool calling_ = false;
  std::thread thread_;
};

}  // namespace ticket
