#include "ticket/model/thread_pool.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/os/file.h"

namespace ticket::model {
namespace {

constexpr unsigned max_threads = 256;

// A decoder's step has fifty loops, one every 300 µs: a thread that sleeps between them wakes too late.
constexpr auto patience = std::chrono::microseconds(100);

// What a thread should have to do each time that it asks, in operations (additions, products): 20 µs or so.
constexpr size_t operations_per_task = 500'000;

void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

std::optional<double> read_number(const std::filesystem::path& path) {
  try {
    return std::stod(flox::read_file(path));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// Processors' worth of time that a cgroup may use: cpu.max of version 2 ("max 100000", "150000 100000"), or
// cpu.cfs_quota_us and cpu.cfs_period_us of version 1.
std::optional<double> limit_of(const std::filesystem::path& group) {
  try {
    std::istringstream text(flox::read_file(group / "cpu.max"));
    double quota = 0, period = 0;
    if (text >> quota >> period && quota > 0 && period > 0) return quota / period;
    return std::nullopt;
  } catch (const flox::Error&) {
  }
  auto quota = read_number(group / "cpu.cfs_quota_us"), period = read_number(group / "cpu.cfs_period_us");
  if (quota && period && *quota > 0 && *period > 0) return *quota / *period;
  return std::nullopt;
}

// In a container the process's own group is mounted as the root; elsewhere /proc/self/cgroup says where it
// is.
std::optional<double> cgroup_limit() {
  std::optional<double> least;
  auto consider = [&](const std::filesystem::path& group) {
    std::optional<double> limit = limit_of(group);
    if (limit && (!least || *limit < *least)) least = limit;
  };
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/cpu"}) consider(root);
  try {
    std::istringstream lines(flox::read_file("/proc/self/cgroup"));
    for (std::string line; std::getline(lines, line);) {
      const size_t first = line.find(':'), second = line.find(':', first + 1);
      if (second == std::string::npos) continue;
      const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
      std::filesystem::path path = line.substr(second + 1);
      if (controllers == ",,")
        consider("/sys/fs/cgroup" / path.relative_path());
      else if (controllers.find(",cpu,") != std::string::npos)
        consider("/sys/fs/cgroup/cpu" / path.relative_path());
    }
  } catch (const flox::Error&) {
  }
  return least;
}

}  // namespace

struct ThreadPool::State {
  // Of the loop that runs: threads take an index each until none is left.
  const std::function<void(size_t)>* body = nullptr;
  size_t count = 0, step = 1;
  std::atomic<size_t> next{0};
  std::atomic<size_t> working{0};

  std::atomic<uint64_t> generation{0};
  std::atomic<bool> stop{false};
  std::mutex sleep_mutex;
  std::condition_variable woken;
  std::mutex turn;  // of callers
  std::vector<std::thread> threads;

  void take_indices() {
    for (size_t begin = next.fetch_add(step); begin < count; begin = next.fetch_add(step))
      for (size_t i = begin; i < std::min(begin + step, count); ++i) (*body)(i);
  }

  // Until there is a loop newer than `seen`, or the end.
  void await(uint64_t seen) {
    const auto until = std::chrono::steady_clock::now() + patience;
    do {
      for (int i = 0; i < 64; ++i) {
        if (generation.load(std::memory_order_acquire) != seen || stop) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < until);
    std::unique_lock lock(sleep_mutex);
    woken.wait(lock, [&] { return generation.load() != seen || stop; });
  }

  void run() {
    for (uint64_t seen = 0;;) {
      await(seen);
      if (stop) return;
      seen = generation.load();
      take_indices();
      working.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) : state_(std::make_unique<State>()) {
  for (unsigned i = 1; i < threads; ++i) state_->threads.emplace_back([this] { state_->run(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->sleep_mutex);
    state_->stop = true;
  }
  state_->woken.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

unsigned ThreadPool::threads() const noexcept { return static_cast<unsigned>(state_->threads.size()) + 1; }

void ThreadPool::for_each(size_t count, size_t operations, const std::function<void(size_t)>& body) {
  const size_t step = std::max<size_t>(1, operations_per_task / std::max<size_t>(1, operations));
  if (state_->threads.empty() || count <= step) {
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::lock_guard turn(state_->turn);
  State& state = *state_;
  state.body = &body;
  state.count = count;
  state.step = step;
  state.next = 0;
  state.working = state.threads.size();
  {
    std::lock_guard lock(state.sleep_mutex);
    state.generation.fetch_add(1);
  }
  state.woken.notify_all();
  state.take_indices();
  // Every thread must have seen this loop before the next one may change it. They are few instructions from
  // it, unless the kernel has given their processor to someone else.
  for (unsigned tries = 0; state.working.load(std::memory_order_acquire) != 0; ++tries) {
    if (tries < 2000)
      pause();
    else
      std::this_thread::yield();
  }
}

unsigned ThreadPool::default_threads() {
  if (const char* text = std::getenv("TICKET_THREADS"); text && *text) {
    unsigned threads = 0;
    const std::string_view digits(text);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), threads);
    if (error != std::errc() || end != digits.data() + digits.size() || threads < 1 || threads > max_threads)
      flox::fail(flox::ErrorKind::invalid_input, "TICKET_THREADS is \"{}\", not a number from 1 to {}", text,
                 max_threads);
    return threads;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  unsigned threads = sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set))
                                                                 : std::thread::hardware_concurrency();
  if (std::optional<double> limit = cgroup_limit())
    threads = std::min(threads, static_cast<unsigned>(std::ceil(*limit)));
  return std::clamp(threads, 1u, max_threads);
}

ThreadPool& ThreadPool::shared() {
  static ThreadPool pool(default_threads());
  return pool;
}

}  // namespace ticket::model
