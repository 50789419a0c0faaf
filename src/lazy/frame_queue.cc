#include "lazy/frame_queue.h"

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::lazy {

class FrameQueue::Source : public FrameSource, public std::enable_shared_from_this<Source> {
 public:
  Source(FrameQueue& queue, std::string a_name, std::vector<Bring> the_places)
      : name(std::move(a_name)), places(std::move(the_places)), queue_(queue) {}
  void fetch(uint32_t frame, Urgency urgency, Take take) override {
    queue_.push(shared_from_this(), frame, urgency, std::move(take));
  }
  std::string last_failure() const override {
    const std::lock_guard lock(mutex_);
    return last_failure_;
  }
  void note_failure(std::string why) {
    const std::lock_guard lock(mutex_);
    last_failure_ = std::move(why);
  }

  const std::string name;
  const std::vector<Bring> places;

 private:
  FrameQueue& queue_;
  mutable std::mutex mutex_;
  std::string last_failure_;
};

FrameQueue::FrameQueue(unsigned urgent, unsigned any) {
  for (unsigned i = 0; i < urgent + any; ++i)
    threads_.emplace_back([this, only_urgent = i < urgent] { run(only_urgent); });
}

FrameQueue::~FrameQueue() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::shared_ptr<FrameSource> FrameQueue::source(std::string name, std::vector<Bring> places) {
  return std::make_shared<Source>(*this, std::move(name), std::move(places));
}

FrameQueue::Waiting FrameQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  const auto count = [](const auto& queue) {
    return static_cast<size_t>(std::ranges::count_if(queue, [](const auto& work) { return !work->begun; }));
  };
  return {count(now_), count(later_)};
}

void FrameQueue::push(const std::shared_ptr<Source>& source, uint32_t frame, FrameSource::Urgency urgency,
                      FrameSource::Take take) {
  {
    const std::lock_guard lock(mutex_);
    auto& work = works_[{source.get(), frame}];
    const bool is_new = work == nullptr;
    if (is_new)
      work = std::make_shared<Work>(Work{.source = source, .frame = frame, .begun = false, .takers = {}});
    work->takers.push_back(std::move(take));
    if (urgency == FrameSource::Urgency::now && !work->begun)
      now_.push_back(work);
    else if (is_new)
      later_.push_back(work);
  }
  changed_.notify_all();
}

std::shared_ptr<FrameQueue::Work> FrameQueue::pop(std::deque<std::shared_ptr<Work>>& from) {
  while (!from.empty()) {
    const std::shared_ptr<Work> work = std::move(from.front());
    from.pop_front();
    if (work->begun) continue;
    work->begun = true;
    return work;
  }
  return nullptr;
}

void FrameQueue::run(bool only_urgent) {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::shared_ptr<Work> work;
    changed_.wait(lock, [&] {
      if (stop_) return true;
      work = pop(now_);
      if (work == nullptr && !only_urgent) work = pop(later_);
      return work != nullptr;
    });
    if (stop_) return;
    lock.unlock();
    bring(work);
    lock.lock();
  }
}

// Who asks from now on begins anew.
std::vector<FrameSource::Take> FrameQueue::close(const Work& work) {
  const std::lock_guard lock(mutex_);
  const auto found = works_.find({work.source.get(), work.frame});
  std::vector<FrameSource::Take> takers = std::move(found->second->takers);
  works_.erase(found);
  return takers;
}

void FrameQueue::bring(const std::shared_ptr<Work>& work) {
  const auto warn = [&](const std::exception& error) {
    const std::string why = to_error(error).what();
    log::warning("frame {} of {}: {}", work->frame, work->source->name, why);
    work->source->note_failure(why);
  };
  for (const Bring& place : work->source->places) {
    std::string nar;
    try {
      nar = place(work->frame);
    } catch (const std::exception& error) {
      warn(error);
      continue;
    }
    std::unique_lock lock(mutex_);
    const FrameSource::Take first = work->takers.front();
    lock.unlock();
    if (!first(0, nar)) {
      warn(Error(ErrorKind::untrusted, "it is not what the signed index says"));
      continue;
    }
    // The frame was right for one, so it is for all.
    const auto takers = close(*work);
    std::for_each(takers.begin() + 1, takers.end(), [&](const auto& take) { take(0, nar); });
    return;
  }
  for (const auto& take : close(*work)) take(EIO, {});
}

}  // namespace flox::lazy
