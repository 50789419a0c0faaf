#include "store/fetch/fetcher.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"
#include "base/net/url.h"
#include "base/settings/address.h"
#include "store/fetch/fetch_pipeline.h"
#include "store/fetch/substitutes.h"
#include "store/local/parallel.h"
#include "store/peers/peer_group.h"
#include "store/peers/peer_proof.h"

namespace flox::store {
namespace {

constexpr std::string_view job_name = "fetch";
constexpr uint64_t own_memory = 512ULL << 20;  // bytes beside the budget: threads' stacks, libraries, buffers
constexpr auto refill_pause = std::chrono::milliseconds(200);
// What is prefetched has time: its own thread has a low priority and hears late.
constexpr PeerPatience patience_of_prefetch{.first = std::chrono::seconds(15),
                                            .idle = std::chrono::seconds(10),
                                            .silent = std::chrono::seconds(30),
                                            .hedge = std::chrono::seconds(5),
                                            .longest_hedge = std::chrono::minutes(1)};

// Reads their key.
std::unique_ptr<PeerGroup> peers_of(const v1::FetchRequest& request) {
  if (!request.has_peers()) return nullptr;
  const v1::FetchRequest::Peers& peers = request.peers();
  try {
    return std::make_unique<PeerGroup>(PeerGroupOptions{
        .self = peers.self(),
        .key = read_peer_key(peers.key_file()),
        .places = {peers.places().begin(), peers.places().end()},
        .resolver =
            peers.resolver().empty() ? std::nullopt : std::optional(AddressPort::parse(peers.resolver())),
        .shunned = {peers.shunned().begin(), peers.shunned().end()},
        .patience = request.metered() ? patience_of_prefetch : PeerPatience{},
        .in_no_hurry = request.metered(),
        .cache_rate = peers.cache_rate()});
  } catch (const Error& error) {  // the caches have it all
    log::warning("no peer is asked: {}", error.what());
    return nullptr;
  }
}

void end_peers(PeerGroup* peers, InstallerLink& installer) {
  if (peers == nullptr) return;
  peers->stop();
  installer.tell_peers(*peers);
}

std::string fetch(std::string_view text, ConfinedChannel& channel) {
  v1::FetchRequest request;
  if (!request.ParseFromArray(text.data(), static_cast<int>(text.size())))
    fail(ErrorKind::internal, "the request cannot be read");
  CacheList caches(request);  // reads their passwords, and no others
  const std::unique_ptr<PeerGroup> peers = peers_of(request);
  if (peers) caches.add_peers(std::make_unique<PeersAsCache>(*peers));
  channel.confine();
  InstallerLink installer(channel);
  if (peers) peers->start();
  try {
    caches.read_infos(installer);
    std::vector<Substitute> missing = find_missing(request, caches, installer);
    if (!request.only_ask()) fetch_all(request, caches, peers.get(), installer, std::move(missing));
  } catch (...) {
    // Who was at fault is told all the same, if anybody listens.
    try {
      end_peers(peers.get(), installer);
    } catch (const Error& error) {
      log::debug("telling what peers did: {}", error.what());
    }
    throw;
  }
  end_peers(peers.get(), installer);
  return {};
}

}  // namespace

std::vector<uint16_t> ports_of(const std::vector<std::string>& urls) {
  for (const char* proxy : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    if (const char* value = std::getenv(proxy); value != nullptr && *value != '\0') return {};
  std::vector<uint16_t> ports = {53, 80, 443};
  auto add = [&](std::string_view url) {
    if (url.starts_with("http://") || url.starts_with("https://")) ports.push_back(HttpUrl::parse(url).port);
  };
  for (const std::string& text : urls) {
    const CacheUrl url = CacheUrl::parse(text);
    add(text.substr(0, text.find('?')));
    if (!url.endpoint.empty())
      add(url.endpoint.find("://") == std::string::npos ? url.s3_scheme + "://" + url.endpoint
                                                        : url.endpoint);
    for (const auto& nar_url : url.nar_urls) add(nar_url);
  }
  return ports;
}

std::vector<std::filesystem::path> readable_for(const std::vector<std::string>& urls) {
  std::vector<fs::path> readable = network_files();
  for (const std::string& text : urls)
    if (const CacheUrl url = CacheUrl::parse(text); url.scheme == "file") readable.emplace_back(url.rest);
  return readable;
}

namespace {

std::vector<uint16_t> ports_with_peers(const RealiseOptions& options) {
  std::vector<uint16_t> ports = ports_of(options.caches);
  if (ports.empty()) return ports;  // any
  for (const std::string& place : options.peers.places) ports.push_back(AddressPort::parse(place).port);
  if (options.peers.resolver) ports.push_back(options.peers.resolver->port);
  return ports;
}

}  // namespace

void add_fetcher_job() { add_confined_job(job_name, fetch); }

std::vector<std::string> variables_of_caches(const std::vector<std::string>& urls) {
  const bool has_bucket =
      std::ranges::any_of(urls, [](const std::string& url) { return url.starts_with("s3://"); });
  return has_bucket ? std::vector<std::string>{"AWS_*"} : std::vector<std::string>();
}

Sandbox fetcher_sandbox(const std::vector<fs::path>& directories, const RealiseOptions& options) {
  return {.writable = directories,
          .readable = readable_for(options.caches),
          .ports = ports_with_peers(options),
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
  run_fetcher(installer.request(paths), options,
              {.directories = installer.directories(),
               .on_call = [&](std::string_view text) { return installer.on_call(text); },
               .on_note = [&](std::string_view text) { installer.on_note(text); },
               .on_end = [&] { installer.on_end(); }},
              std::move(worker));
}

void run_fetcher(const v1::FetchRequest& work, const RealiseOptions& options, FetcherSide side,
                 std::unique_ptr<ConfinedWorker> worker) {
  if (!worker) worker = start_fetcher(options);
  ConfinedRequest request{.job = std::string(job_name),
                          .text = work.SerializeAsString(),
                          .sandbox = fetcher_sandbox(side.directories, options),
                          .policy = options.isolation,
                          .deadline = options.limits.time,
                          .handlers = worker_count(options.workers),
                          .on_call = std::move(side.on_call),
                          .on_note = std::move(side.on_note),
                          .on_end = std::move(side.on_end)};
  try {
    const std::stop_callback stopping(options.stop, [&] { worker->cancel(); });
    worker->serve(request);
  } catch (const Error&) {
    if (options.stop.stop_requested()) fail(ErrorKind::unavailable, "it was stopped");
    throw;
  }
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
