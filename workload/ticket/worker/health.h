// What /readyz tells: whether this worker can take tickets now.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

namespace ticket {

// Ready when the models are loaded and the latest call to the queue was answered. Thread-safe.
class Health {
 public:
  void models_loaded();
  void queue_answered();
  void queue_failed(const std::string& problem);
  // Why it is not ready; none if it is.
  std::optional<std::string> problem() const;

 private:
  mutable std::mutex mutex_;
  bool models_ = false;
  std::optional<std::string> queue_problem_ = "it was not reached yet";
};

}  // namespace ticket
