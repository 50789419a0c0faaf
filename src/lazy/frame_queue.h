// The frames that are to be brought, those first for which a reader waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lazy/frame_source.h"

namespace flox::lazy {

// Thread-safe. One for all paths of a node: it bounds how many frames are brought at once.
class FrameQueue {
 public:
  // Brings what the frames from `first` to `last` decompress to, one after the other, from one place; throws
  // Error if it cannot. Called on the queue's threads.
  using Bring = std::function<std::string(uint32_t first, uint32_t last)>;

  // `urgent` threads bring only what a reader waits for, `any` ones what there is.
  FrameQueue(unsigned urgent, unsigned any);
  // Waits for what is being brought; what is not begun is never taken.
  ~FrameQueue();
  FrameQueue(const FrameQueue&) = delete;
  FrameQueue& operator=(const FrameQueue&) = delete;

  // The frames of one path, from these places in their order. `name` is for the log. `sizes`: what each frame
  // decompresses to, bytes: those for which no reader waits yet are brought several at once where they are
  // neighbours; empty: each by itself. The queue must outlive it.
  std::shared_ptr<FrameSource> source(std::string name, std::vector<Bring> places,
                                      std::vector<uint64_t> sizes = {});

  // How many frames wait: for which a reader does, and others.
  struct Waiting {
    size_t now = 0, later = 0;
  };
  Waiting waiting() const;

 private:
  class Source;
  struct Work {
    std::shared_ptr<Source> source;
    uint32_t frame = 0;
    FrameSource::Urgency urgency{};  // the most urgent that was asked for
    bool begun = false;
    std::vector<FrameSource::Take> takers;
  };
  using Key = std::pair<const Source*, uint32_t>;

  // Neighbours of one path, in their order.
  using Run = std::vector<std::shared_ptr<Work>>;

  void push(const std::shared_ptr<Source>& source, uint32_t frame, FrameSource::Urgency urgency,
            FrameSource::Take take);
  void run(bool only_urgent);
  static Run pop(std::deque<std::shared_ptr<Work>>& from, bool with_neighbours);
  void bring(const Run& run);
  bool bring_together(const Run& run);
  void bring_one(const Work& work);
  bool offer(const Work& work, std::string_view nar);
  std::vector<FrameSource::Take> close(const Work& work);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::shared_ptr<Work>> works_;  // all that are not finished
  // Work that became more urgent stands in several; whoever comes second finds it begun.
  std::deque<std::shared_ptr<Work>> now_, soon_, later_;
  bool stop_ = false;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace flox::lazy
