// Finds out which paths of the store are public that nobody has said it of: those that another program
// brought, an older floxd, or a pod with a token of its own. The caches are asked in no hurry, after a pod
// has come to use the paths.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "store/local/local_store.h"
#include "store/peers/public_paths.h"

namespace flox::node {

// Thread-safe.
class PathInquiry {
 public:
  using Shown = std::function<void(const nix::PathInfo&)>;
  struct Options {
    // Calls `shown` for those that a cache shows to everybody here. Throws Error: the caches have not said it
    // of all.
    std::function<void(const std::vector<nix::PathInfo>& infos, const Shown& shown, std::stop_token stop)>
        ask;
    // Those that are public anyway, for which no cache is asked.
    std::function<bool(const nix::PathInfo&)> is_public = [](const nix::PathInfo&) { return false; };
    size_t at_once = 500;                             // paths of one question
    std::chrono::milliseconds pause{1000};            // between two questions
    std::chrono::milliseconds after_failure{60'000};  // until the next question
    std::chrono::milliseconds again{3'600'000};  // until a path is asked for again that no cache has shown
  };
  // Paths that wait, and those that were asked for in vain. Of more, the next realisation says it again.
  static constexpr size_t most_waiting = 200'000;

  // Store and `known` outlive it.
  PathInquiry(const store::LocalStore& store, store::PublicPaths& known, Options options);

  // These paths are in use by a pod that has shown no token.
  void note(const nix::StorePathSet& paths);

 private:
  using Time = std::chrono::steady_clock::time_point;
  void run(const std::stop_token& stop);
  // Those that are to be asked for now; waits until there are some. None: the end.
  std::vector<nix::PathInfo> next(const std::stop_token& stop);
  std::vector<nix::StorePath> take(const std::stop_token& stop);
  bool ask(const std::vector<nix::PathInfo>& infos, const std::stop_token& stop);
  void wait(const std::stop_token& stop, std::chrono::milliseconds time);

  const store::LocalStore& store_;
  store::PublicPaths& known_;
  const Options options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  nix::StorePathSet waiting_;             // under mutex_
  std::optional<nix::StorePath> last_;    // of the thread: the last one taken of them
  bool has_warned_ = false;               // of the thread: since the caches last answered
  std::map<nix::StorePath, Time> asked_;  // of the thread
  std::jthread thread_;                   // the last: it uses all others
};

}  // namespace flox::node
