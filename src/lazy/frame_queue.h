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
  // Brings what a frame decompresses to from one place, and throws Error if it cannot. Called on the queue's
  // threads.
  using Bring = std::function<std::string(uint32_t frame)>;

  // `urgent` threads bring only what a reader waits for, `any` ones what there is.
  FrameQueue(unsigned urgent, unsigned any);
  // Waits for what is being brought; what is not begun is never taken.
  ~FrameQueue();
  FrameQueue(const FrameQueue&) = delete;
  FrameQueue& operator=(const FrameQueue&) = delete;

  // The frames of one path, from these places in their order. `name` is for the log. The queue must outlive
  // it.
  std::shared_ptr<FrameSource> source(std::string name, std::vector<Bring> places);

  // How many frames wait, of each urgency.
  struct Waiting {
    size_t now = 0, later = 0;
  };
  Waiting waiting() const;

 private:
  class Source;
  struct Work {
    std::shared_ptr<Source> source;
    uint32_t frame = 0;
    bool begun = false;
    std::vector<FrameSource::Take> takers;
  };
  using Key = std::pair<const Source*, uint32_t>;

  void push(const std::shared_ptr<Source>& source, uint32_t frame, FrameSource::Urgency urgency,
            FrameSource::Take take);
  void run(bool only_urgent);
  std::shared_ptr<Work> pop(std::deque<std::shared_ptr<Work>>& from);
  void bring(const std::shared_ptr<Work>& work);
  std::vector<FrameSource::Take> close(const Work& work);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::shared_ptr<Work>> works_;  // all that are not finished
  // Work that became urgent stands in both; whoever comes second finds it begun.
  std::deque<std::shared_ptr<Work>> now_, later_;
  bool stop_ = false;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace flox::lazy
