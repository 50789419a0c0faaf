#include "node/floxd/collector.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "node/floxd/store_disk.h"
#include "store/gc/gc.h"

namespace flox::node {
namespace {

constexpr auto interval = std::chrono::seconds(5);
constexpr auto longest_pause = std::chrono::seconds(5);  // before one batch

// For this thread and those that it starts: only what nobody else wants of CPU and disk.
void lower_priority() {
  constexpr int ioprio_who_process = 1;
  constexpr int ioprio_idle = 3 << 13;
  ::setpriority(PRIO_PROCESS, 0, 19);
  ::syscall(SYS_ioprio_set, ioprio_who_process, 0, ioprio_idle);
}

}  // namespace

Collector::Collector(const Config& config, const Environments& environments, Metrics& metrics,
                     std::function<bool()> give_way)
    : config_(config),
      environments_(environments),
      metrics_(metrics),
      give_way_(std::move(give_way)),
      thread_([this] { run(); }) {}

Collector::~Collector() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Collector::run() {
  lower_priority();
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, interval, [&] { return stop_; })) {
    lock.unlock();
    try {
      look();
    } catch (const std::exception& error) {
      metrics_.collection_failed();
      log::warning("{}", message_of(error));
    }
    lock.lock();
  }
}

void Collector::look() {
  const StoreDisk disk = disk_of(environments_.store());
  const uint64_t minimum = config_.gc_min_free.of(disk.total);
  if (disk.free >= minimum) return;
  // Unless more space has been used since, nothing more can be freed (Nix's rule too).
  if (free_after_last_ != 0 && disk.free > free_after_last_ / 100 * 97) return;
  const uint64_t target = std::max(minimum, config_.gc_target_free.of(disk.total));
  log::info("{} of {} are free, under gc_min_free: collecting garbage", size_text(disk.free),
            size_text(disk.total));
  collect(target - disk.free);
  if (const uint64_t free = disk_of(environments_.store()).free; free < minimum && give_way_())
    collect(target - free);
  free_after_last_ = std::max<uint64_t>(1, disk_of(environments_.store()).free);
}

void Collector::collect(uint64_t bytes) {
  const auto start = std::chrono::steady_clock::now();
  store::GcOptions options{.max_freed = bytes, .before_batch = [this] { return wait_for_realises(); }};
  if (config_.gc_keep_newer.count() > 0) options.keep_newer = config_.gc_keep_newer;
  // A store object of its own: the node's holds temporary roots.
  store::LocalStore store(environments_.store().root(), config_.store_lock_timeout);
  const store::GcResult result = store::collect_garbage(store, options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  metrics_.collected(result.removed.size(), result.bytes_freed, took.count());
  log::info("collected garbage: {} paths, {} freed in {:.1f} s, {} paths kept", result.removed.size(),
            size_text(result.bytes_freed), took.count(), result.paths_kept);
}

// Waits for running realises, up to a limit: they may be what fills the disk. False when floxd stops.
bool Collector::wait_for_realises() {
  std::unique_lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + longest_pause;
  while (!stop_ && environments_.busy() && std::chrono::steady_clock::now() < deadline)
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  return !stop_;
}

}  // namespace flox::node
