#include "kube/pods/pod_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/log.h"

namespace flox::kube {

PodReport::PodReport(PodStatus initial, const PodWorld& world)
    : world_(world), working_(std::move(initial)), published_(working_) {}

void PodReport::event(bool warning, const std::string& reason, const std::string& message) {
  // What stays wrong is said again every few seconds at most.
  const UnixTime now = world_.unix_now();
  for (const auto& event : working_.events)
    if (event.reason == reason && event.message == message && now - event.time < 5) return;
  add_event(working_, now, warning, reason, message);
  log::write(warning ? log::Level::warning : log::Level::info,
             fmt::format("pod {}/{}: {}: {}", working_.namespace_, working_.name, reason, message));
}

void PodReport::publish() {
  std::string text = to_json(working_).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text == published_text_) return;
  published_text_ = std::move(text);
  {
    std::scoped_lock lock(mutex_);
    published_ = working_;
  }
  world_.changed();
}

PodStatus PodReport::published() const {
  std::scoped_lock lock(mutex_);
  return published_;
}

std::string with_advice(const Error& error) {
  return error.advice().empty() ? error.what() : fmt::format("{} ({})", error.what(), error.advice());
}

}  // namespace flox::kube
