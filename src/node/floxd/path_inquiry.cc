#include "node/floxd/path_inquiry.h"

#include <utility>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::node {

PathInquiry::PathInquiry(const store::LocalStore& store, store::PublicPaths& known, Options options)
    : store_(store),
      known_(known),
      options_(std::move(options)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void PathInquiry::note(const nix::StorePathSet& paths) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + paths.size() > most_waiting) return;
  waiting_.insert(paths.begin(), paths.end());
  changed_.notify_all();
}

void PathInquiry::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) try {
      const std::vector<nix::PathInfo> infos = next(stop);
      if (infos.empty()) continue;
      const bool is_answered = ask(infos, stop);
      wait(stop, is_answered ? options_.pause : options_.after_failure);
    } catch (const std::exception& exception) {
      log::warning("finding out which paths are public: {}", message_of(exception));
      wait(stop, options_.after_failure);
    }
}

// Behind those of the last time: what is never answered keeps nothing else waiting.
std::vector<nix::StorePath> PathInquiry::take(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return !waiting_.empty(); });
  std::vector<nix::StorePath> taken;
  while (!stop.stop_requested() && taken.size() < options_.at_once && !waiting_.empty()) {
    auto place = last_ ? waiting_.upper_bound(*last_) : waiting_.begin();
    if (place == waiting_.end()) place = waiting_.begin();
    taken.push_back(std::move(waiting_.extract(place).value()));
    last_ = taken.back();
  }
  return taken;
}

std::vector<nix::PathInfo> PathInquiry::next(const std::stop_token& stop) {
  std::vector<nix::PathInfo> infos;
  for (const nix::StorePath& path : take(stop)) {
    const auto asked = asked_.find(path);
    if (asked != asked_.end() && std::chrono::steady_clock::now() - asked->second < options_.again) continue;
    auto info = store_.query(path);
    if (info && !known_.contains(*info) && !options_.is_public(*info)) infos.push_back(std::move(*info));
  }
  return infos;
}

// What was not answered is asked again.
bool PathInquiry::ask(const std::vector<nix::PathInfo>& infos, const std::stop_token& stop) {
  nix::StorePathSet open;
  for (const nix::PathInfo& info : infos) open.insert(info.path);
  std::vector<nix::PathInfo> shown;
  bool is_answered = true;
  try {
    options_.ask(
        infos,
        [&](const nix::PathInfo& info) {
          shown.push_back(info);
          open.erase(info.path);
        },
        stop);
  } catch (const Error& error) {
    if (!std::exchange(has_warned_, true))
      log::warning("other nodes are not told of some paths: which ones are public is not known: {}",
                   error.what());
    is_answered = false;
  }
  known_.add(shown);
  if (!is_answered) {
    note(open);
    return false;
  }
  has_warned_ = false;
  if (asked_.size() + open.size() > most_waiting) asked_.clear();
  for (const nix::StorePath& path : open) asked_.insert_or_assign(path, std::chrono::steady_clock::now());
  return true;
}

void PathInquiry::wait(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace flox::node
