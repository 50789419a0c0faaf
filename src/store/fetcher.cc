#include "store/fetcher.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"
#include "store/fetch_pipeline.h"
#include "store/parallel.h"
#include "store/substitutes.h"

namespace flox::store {
namespace {

constexpr std::string_view job_name = "fetch";
constexpr uint64_t own_memory = 512ULL << 20;  // bytes beside the budget: threads' stacks, libraries, buffers
constexpr auto refill_pause = std::chrono::milliseconds(200);

std::string fetch(std::string_view text, ConfinedChannel& channel) {
  v1::FetchRequest request;
  if (!request.ParseFromArray(text.data(), static_cast<int>(text.size())))
    fail(ErrorKind::internal, "the request cannot be read");
  CacheList caches(request);  // reads their passwords, and no others
  channel.confine();
  InstallerLink installer(channel);
  caches.read_infos(installer);
  fetch_all(request, caches, installer, find_missing(request, caches, installer));
  return {};
}

}  // namespace

std::vector<uint16_t> ports_of(const std::vector<std::string>& urls) {
  for (const char* proxy : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    if (const char* value = std::getenv(proxy); value != nullptr && *value != '\0') return {};
  std::vector<uint16_t> ports = {53, 80, 443};
  for (const std::string& text : urls) {
    const CacheUrl url = CacheUrl::parse(text);
    std::string_view where =
        url.endpoint.empty() ? std::string_view(url.rest) : std::string_view(url.endpoint);
    if (const size_t scheme = where.find("://"); scheme != std::string_view::npos)
      where.remove_prefix(scheme + 3);
    where = where.substr(0, where.find('/'));
    where.remove_prefix(std::min(where.find('@') + 1, where.size()));
    const size_t colon = where.rfind(':');
    if (colon == std::string_view::npos || where.find(']', colon) != std::string_view::npos) continue;
    const int port = std::atoi(std::string(where.substr(colon + 1)).c_str());
    if (port > 0 && port < 65536) ports.push_back(static_cast<uint16_t>(port));
  }
  return ports;
}

namespace {

std::vector<fs::path> readable_for(const std::vector<std::string>& urls) {
  std::vector<fs::path> readable = network_files();
  for (const std::string& text : urls)
    if (const CacheUrl url = CacheUrl::parse(text); url.scheme == "file") readable.emplace_back(url.rest);
  return readable;
}

}  // namespace

void add_fetcher_job() { add_confined_job(job_name, fetch); }

std::vector<std::string> variables_of_caches(const std::vector<std::string>& urls) {
  const bool has_bucket =
      std::ranges::any_of(urls, [](const std::string& url) { return url.starts_with("s3://"); });
  return has_bucket ? std::vector<std::string>{"AWS_*"} : std::vector<std::string>();
}

Sandbox fetcher_sandbox(const Installer& installer, const RealiseOptions& options) {
  return {.writable = installer.directories(),
          .readable = readable_for(options.caches),
          .ports = ports_of(options.caches),
          .memory = options.memory + own_memory,
          .file_size = options.limits.disk};
}

std::unique_ptr<ConfinedWorker> start_fetcher(const RealiseOptions& options) {
  static std::once_flag known;  // to programs that do it on a thread
  std::call_once(known, add_fetcher_job);
  return options.fetchers != nullptr ? options.fetchers->take()
                                     : std::make_unique<ConfinedWorker>(variables_of_caches(options.caches));
}

void run_fetcher(Installer& installer, const StorePathSet& paths, const RealiseOptions& options,
                 std::unique_ptr<ConfinedWorker> worker) {
  if (!worker) worker = start_fetcher(options);
  ConfinedRequest request{.job = std::string(job_name),
                          .text = installer.request(paths).SerializeAsString(),
                          .sandbox = fetcher_sandbox(installer, options),
                          .policy = options.isolation,
                          .deadline = options.limits.time,
                          .handlers = worker_count(options.workers),
                          .on_call = [&](std::string_view text) { return installer.on_call(text); },
                          .on_note = [&](std::string_view text) { installer.on_note(text); }};
  worker->serve(request);
}

FetcherPool::FetcherPool(std::vector<std::string> variables)
    : variables_(std::move(variables)), thread_([this] { run(); }) {}

FetcherPool::~FetcherPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::unique_ptr<ConfinedWorker> FetcherPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (idle_ && idle_->alive()) {
      changed_.notify_all();
      return std::move(idle_);
    }
    idle_.reset();
    changed_.notify_all();
  }
  return std::make_unique<ConfinedWorker>(variables_);
}

void FetcherPool::run() {
  std::unique_lock lock(mutex_);
  for (bool first = true; !stop_; first = false) {
    if (!first) changed_.wait_for(lock, refill_pause, [&] { return stop_; });
    if (!stop_ && !idle_) {
      lock.unlock();
      std::unique_ptr<ConfinedWorker> worker;
      try {
        worker = std::make_unique<ConfinedWorker>(variables_);
      } catch (const Error& error) {
        log::warning("starting a fetcher in advance: {}", error.what());
      }
      lock.lock();
      idle_ = std::move(worker);
    }
    changed_.wait(lock, [&] { return stop_ || !idle_; });
  }
  idle_.reset();
}

}  // namespace flox::store
