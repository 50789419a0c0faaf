#include "lazy/frame_queue.h"

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::lazy {
namespace {

// Of what is brought at once, decompressed, bytes: it is one message of the process that brings it.
constexpr uint64_t most_at_once = 4 << 20;

}  // namespace

class FrameQueue::Source : public FrameSource, public std::enable_shared_from_this<Source> {
 public:
  Source(FrameQueue& queue, std::string a_name, std::vector<Bring> the_places,
         std::vector<uint64_t> the_sizes)
      : name(std::move(a_name)), places(std::move(the_places)), sizes(std::move(the_sizes)), queue_(queue) {}
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
  const std::vector<uint64_t> sizes;

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

std::shared_ptr<FrameSource> FrameQueue::source(std::string name, std::vector<Bring> places,
                                                std::vector<uint64_t> sizes) {
  return std::make_shared<Source>(*this, std::move(name), std::move(places), std::move(sizes));
}

FrameQueue::Waiting FrameQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  Waiting waiting;
  for (const auto& [key, work] : works_)
    if (!work->begun) ++(work->urgency == FrameSource::Urgency::now ? waiting.now : waiting.later);
  return waiting;
}

void FrameQueue::push(const std::shared_ptr<Source>& source, uint32_t frame, FrameSource::Urgency urgency,
                      FrameSource::Take take) {
  {
    const std::lock_guard lock(mutex_);
    auto& work = works_[{source.get(), frame}];
    const bool is_new = work == nullptr;
    if (is_new) work = std::make_shared<Work>(Work{.source = source, .frame = frame, .urgency = urgency});
    work->takers.push_back(std::move(take));
    if (is_new || (urgency < work->urgency && !work->begun)) {
      work->urgency = urgency;
      (urgency == FrameSource::Urgency::now    ? now_
       : urgency == FrameSource::Urgency::soon ? soon_
                                               : later_)
          .push_back(work);
    }
  }
  changed_.notify_all();
}

FrameQueue::Run FrameQueue::pop(std::deque<std::shared_ptr<Work>>& from, bool with_neighbours) {
  Run run;
  uint64_t bytes = 0;
  while (!from.empty()) {
    const std::shared_ptr<Work>& work = from.front();
    if (!work->begun) {
      const auto& sizes = work->source->sizes;
      bytes += sizes.empty() ? 0 : sizes.at(work->frame);
      if (!run.empty() && (!with_neighbours || sizes.empty() || work->source != run.back()->source ||
                           work->frame != run.back()->frame + 1 || bytes > most_at_once))
        return run;
      work->begun = true;
      run.push_back(work);
    }
    from.pop_front();
  }
  return run;
}

void FrameQueue::run(bool only_urgent) {
  std::unique_lock lock(mutex_);
  for (;;) {
    Run run;
    changed_.wait(lock, [&] {
      if (stop_) return true;
      run = pop(now_, false);
      if (run.empty() && !only_urgent) run = pop(soon_, true);
      if (run.empty() && !only_urgent) run = pop(later_, true);
      return !run.empty();
    });
    if (stop_) return;
    lock.unlock();
    bring(run);
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

// Whether it is what the index says.
bool FrameQueue::offer(const Work& work, std::string_view nar) {
  std::unique_lock lock(mutex_);
  const FrameSource::Take first = work.takers.front();
  lock.unlock();
  if (!first(0, nar)) return false;
  // The frame was right for one, so it is for all.
  const auto takers = close(work);
  std::for_each(takers.begin() + 1, takers.end(), [&](const auto& take) { take(0, nar); });
  return true;
}

void FrameQueue::bring(const Run& run) {
  if (run.size() > 1 && bring_together(run)) return;
  for (const auto& work : run) bring_one(*work);
}

// From the first place. False if that did not give what it should: then each is brought by itself.
bool FrameQueue::bring_together(const Run& run) {
  const Source& source = *run.front()->source;
  std::string nar;
  uint64_t size = 0;
  for (const auto& work : run) size += source.sizes.at(work->frame);
  try {
    nar = source.places.at(0)(run.front()->frame, run.back()->frame);
  } catch (const std::exception& error) {
    log::debug("frames {} to {} of {}: {}", run.front()->frame, run.back()->frame, source.name,
               message_of(error));
    return false;
  }
  if (nar.size() != size) return false;
  std::string_view rest = nar;
  for (const auto& work : run) {
    const uint64_t part = source.sizes[work->frame];
    if (!offer(*work, rest.substr(0, part))) bring_one(*work);
    rest.remove_prefix(part);
  }
  return true;
}

void FrameQueue::bring_one(const Work& work) {
  const auto warn = [&](const std::exception& error) {
    const std::string why = to_error(error).what();
    log::warning("frame {} of {}: {}", work.frame, work.source->name, why);
    work.source->note_failure(why);
  };
  for (const Bring& place : work.source->places) {
    std::string nar;
    try {
      nar = place(work.frame, work.frame);
    } catch (const std::exception& error) {
      warn(error);
      continue;
    }
    if (offer(work, nar)) return;
    warn(Error(ErrorKind::untrusted, "it is not what the signed index says"));
  }
  for (const auto& take : close(work)) take(EIO, {});
}

}  // namespace flox::lazy
