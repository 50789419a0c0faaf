// What is being realised now, and who wants it: one realisation of each work at a time, which ends early when
// nobody wants it any more.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/data/sha256.h"
#include "node/floxd/realise_queue.h"

namespace flox::node {

// Thread-safe. Looks four times a second whether those are there who want something, in a thread of its own.
class UnderWay {
 public:
  using Work = std::pair<Sha256Digest, Lane>;
  // Whether whoever asked has gone, so that nothing is done for them any more; empty: never. Called by any
  // thread until begin() has thrown, or the Turn has ended; must not block, nor begin work here.
  using Gone = std::function<bool()>;

  UnderWay();
  // All work has ended.
  ~UnderWay();
  UnderWay(const UnderWay&) = delete;

  // The right to do a work, until its end.
  class Turn {
   public:
    Turn(UnderWay& owner, const Work& work, std::stop_token stop)
        : owner_(owner), work_(work), stop_(std::move(stop)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { owner_.end(work_); }
    // Requested when nobody wants the work any more, also of those who wait for it to end.
    const std::stop_token& stop() const noexcept { return stop_; }

   private:
    UnderWay& owner_;
    Work work_;
    std::stop_token stop_;
  };
  // Waits while another does the same work, which is likely to have nothing to do then. Throws
  // Error(unavailable) if `gone` says so meanwhile.
  Turn begin(const Work& work, Gone gone);

  // Whether anything is being done in these lanes.
  bool busy(std::initializer_list<Lane> lanes) const;
  // All that is under way ends soon, and what comes later at once.
  void stop();

 private:
  struct Entry {
    std::stop_source stop;
    std::list<std::shared_ptr<const Gone>> wanted;  // who does it, and who waits
  };
  void end(const Work& work);
  void watch();
  // Until nobody is asked any more who was there before.
  void wait_for_look(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [&] { return !looking_; });
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Work, std::shared_ptr<Entry>> works_;
  bool looking_ = false;  // the watcher asks, without the mutex
  bool stopped_ = false;
  bool ended_ = false;
  std::thread watcher_;
};

}  // namespace flox::node
