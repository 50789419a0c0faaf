#include "ticket/worker/health.h"

namespace ticket {

void Health::models_loaded() {
  std::lock_guard lock(mutex_);
  models_ = true;
}

void Health::queue_answered() {
  std::lock_guard lock(mutex_);
  queue_problem_.reset();
}

void Health::queue_failed(const std::string& problem) {
  std::lock_guard lock(mutex_);
  queue_problem_ = problem;
}

std::optional<std::string> Health::problem() const {
  std::lock_guard lock(mutex_);
  if (!models_) return "the models are not loaded yet";
  if (queue_problem_) return "the queue: " + *queue_problem_;
  return std::nullopt;
}

}  // namespace ticket
