#include "node/floxd/peers.h"

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "catalog/settings.h"
#include "node/installer/state_names.h"
#include "node/shared/messages.h"
#include "store/fetch/ask_caches.h"
#include "store/peers/peer_proof.h"

namespace flox::node {
namespace {

constexpr auto after_failure = std::chrono::seconds(30);
constexpr unsigned threads_for_readers = 8;  // a question of theirs may take a quarter of a second
constexpr auto after_lie = std::chrono::hours(1);

bool asks_others(const Config& config) { return !config.peers.empty() || !config.store_writer.empty(); }

store::PeerKeys keys_of(const Config& config) {
  if (!asks_others(config) && !config.peer_address) return {};
  try {
    return store::read_peer_keys(config.peer_key_file, asks_others(config));
  } catch (const Error& error) {
    log::warning("nothing is shared with other nodes: {}", error.what());
    return {};
  }
}

// Which floxd kept until it knew of each path whether it is public. What it does not name may have been
// fetched before there was one, or by others.
void forget_list_of_private_paths(const std::filesystem::path& list) {
  std::error_code error;
  if (!std::filesystem::remove(list, error)) return;
  log::info(
      "{} is replaced by a list of public paths: other nodes are told of no path of this store until a cache "
      "has shown it without a token of a pod's own",
      list.string());
}

// One that cannot be read makes nothing public, and the others neither: who set them may mean something else.
nix::TrustedKeys public_keys_of(const Config& config) {
  try {
    return nix::TrustedKeys(config.peer_public_keys);
  } catch (const Error& error) {
    log::error("peer_public_keys: {}: other nodes are told of nothing by them", error.what());
    return {};
  }
}

// How the caches are asked what they show to everybody: by few threads, which leave the machine to others.
store::RealiseOptions question(const Config& config, const std::stop_token& stop) {
  constexpr unsigned workers = 2;
  constexpr auto longest = std::chrono::minutes(5);
  return {.caches = catalog::caches_of(config, config),
          .workers = workers,
          .limits = {.time = longest},
          .isolation = config.isolation,
          .stop = stop};
}

}  // namespace

void ShunnedPeers::note(const store::PeerUse& use, Time now) {
  if (!use.failed && !use.lied) return;
  const std::lock_guard lock(mutex_);
  Time& until = until_[use.address];
  until = std::max(until, now + (use.lied ? std::chrono::duration_cast<Time::duration>(after_lie)
                                          : std::chrono::duration_cast<Time::duration>(after_failure)));
}

std::vector<std::string> ShunnedPeers::at(Time now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(until_, [&](const auto& entry) { return entry.second <= now; });
  std::vector<std::string> addresses;
  for (const auto& [address, until] : until_) addresses.push_back(address);
  return addresses;
}

Peers::Peers(const Config& config, const std::filesystem::path& state, const store::LocalStore& store,
             Metrics& metrics)
    : config_(config),
      metrics_(metrics),
      keys_(keys_of(config)),
      public_keys_(public_keys_of(config)),
      known_(state / state::public_paths,
             [&store](std::string_view digest) { return store.find(digest).has_value(); }) {
  forget_list_of_private_paths(state / state::private_paths);
  if (config.peer_address && has_keys())
    inquiry_.emplace(
        store, known_,
        PathInquiry::Options{
            .ask =
                [this](const auto& infos, const auto& shown, const std::stop_token& stop) {
                  store::ask_caches(infos, question(config_, stop), shown);
                },
            .is_public =
                [this](const nix::PathInfo& info) { return !public_keys_.signer_of(info).empty(); }});
}

Secret Peers::key() const {
  const std::lock_guard lock(keys_mutex_);
  return keys_.of_all.empty() ? Secret() : keys_.of_all.front();
}

bool Peers::has_keys() const {
  const std::lock_guard lock(keys_mutex_);
  return !keys_.empty();
}

void Peers::read_keys_again() {
  if (!asks_others(config_) && !config_.peer_address) return;
  if (!has_keys()) {
    log::error("floxd began without keys of other nodes: restart it to have it read {}",
               config_.peer_key_file.string());
    return;
  }
  try {
    store::PeerKeys keys = store::read_peer_keys(config_.peer_key_file, asks_others(config_));
    if (server_) server_->set_keys(keys);
    log::info("{} has {} keys of all nodes, and those of {} readers of the store",
              config_.peer_key_file.string(), keys.of_all.size(), keys.of_readers.size());
    const std::lock_guard lock(keys_mutex_);
    keys_ = std::move(keys);
  } catch (const Error& error) {
    log::error("the keys of other nodes stay as they were: {}", error.what());
  }
}

void Peers::add_to(store::RealiseOptions& options, bool is_private) {
  options.is_private = is_private;
  options.shared = &shared_;
  options.known_public = &known_;
  if (key().empty()) return;
  const std::vector<std::string> shunned = shunned_.at(std::chrono::steady_clock::now());
  metrics_.peers_shunned(shunned);
  options.peers = {.places = config_.peers,
                   .resolver = config_.peer_resolver,
                   .shunned = shunned,
                   .key_file = config_.peer_key_file,
                   .cache_rate = cache_rate_,
                   .on_end = [this](const std::vector<store::PeerUse>& use, uint64_t cache_rate) {
                     note_use(use, cache_rate);
                   }};
}

void Peers::note_use(const std::vector<store::PeerUse>& all, uint64_t cache_rate) {
  if (cache_rate > 0) cache_rate_ = cache_rate;
  const auto now = std::chrono::steady_clock::now();
  for (const store::PeerUse& use : all) {
    shunned_.note(use, now);
    if (use.lied || use.failed) metrics_.peer_failed(use.lied);
    metrics_.peer_gave(use.address, use.paths, use.bytes);
  }
  metrics_.peers_shunned(shunned_.at(now));
}

void Peers::note(const store::RealiseResult& result, bool is_private) {
  if (inquiry_ && !is_private) inquiry_->note(result.closure);
  uint64_t of_peers = 0;
  for (const store::PeerUse& use : result.peers) of_peers += use.paths;
  metrics_.hedged(result.hedges);
  const uint64_t of_caches = result.paths_fetched - std::min(of_peers, result.paths_fetched);
  const uint64_t from_disk =
      result.closure.size() - std::min<uint64_t>(result.paths_fetched, result.closure.size());
  metrics_.from_sources(
      {.paths_of_caches = of_caches,
       .paths_of_peers = of_peers,
       .paths_from_disk = from_disk,
       .bytes_of_caches = result.bytes_fetched - std::min(result.bytes_from_peers, result.bytes_fetched),
       .bytes_of_peers = result.bytes_from_peers});
}

PeerListener::PeerListener(std::function<std::unique_ptr<HttpServer>()> make,
                           std::function<void(bool)> is_listening, std::chrono::milliseconds pause,
                           std::function<void()> stop_sending)
    : make_(std::move(make)),
      is_listening_(std::move(is_listening)),
      pause_(pause),
      stop_sending_(std::move(stop_sending)) {
  if (!try_to_listen()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

PeerListener::~PeerListener() { stop_sending_(); }

std::optional<uint16_t> PeerListener::port() const {
  const std::lock_guard lock(mutex_);
  return server_ ? std::optional(server_->port()) : std::nullopt;
}

bool PeerListener::try_to_listen() {
  try {
    auto server = make_();
    const std::lock_guard lock(mutex_);
    server_ = std::move(server);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    log::warning("other nodes are not served, it is tried again in {} s: {}",
                 std::chrono::duration_cast<std::chrono::seconds>(pause_).count(), error.what());
  }
  is_listening_(port().has_value());
  return port().has_value();
}

void PeerListener::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  while (!stopped_.wait_for(lock, stop, pause_, [&] { return stop.stop_requested(); })) try {
      if (!try_to_listen()) continue;
      log::info("other nodes are served now");
      return;
    } catch (const std::exception& exception) {
      log::warning("other nodes are not served: {}", message_of(exception));
    }
}

std::unique_ptr<PeerListener> Peers::serve(const store::LocalStore& store, StoreWriter* writer,
                                           std::chrono::milliseconds pause) {
  if (!config_.peer_address || !has_keys()) return nullptr;
  server_ = std::make_unique<store::PeerServer>(
      store, shared_, known_,
      store::PeerServerOptions{.keys = keys_,
                               .readers_prefix = std::string(shared_store_prefix),
                               .public_keys = public_keys_,
                               .transfers = config_.peer_transfers,
                               .rate = config_.peer_rate.bytes,
                               .rate_each = config_.peer_rate_each.bytes,
                               .sent = [this](uint64_t bytes) { metrics_.sent_to_peers(bytes); },
                               .refused = [this] { metrics_.peer_refused(); },
                               .busy = [this] { metrics_.peer_busy(); }});
  const auto transfers = static_cast<unsigned>(config_.peer_transfers);
  auto make = [this, transfers, writer] {
    return std::make_unique<HttpServer>(
        HttpServerOptions{
            .address = config_.peer_address->address,
            .port = config_.peer_address->port,
            .threads = writer == nullptr ? 2U : threads_for_readers,
            .stream_threads = 2 * transfers,
            .max_body = writer == nullptr ? store::largest_peer_question : largest_shared_request,
            .admit = [this](const ServerRequest& request) { server_->admit(request); },
            .max_header = 4 << 10,
            .max_target = 1 << 10,
            .max_connections = 256,
            .max_connections_per_peer = 64,
            .max_waiting = 128},
        [this, writer](const ServerRequest& request) {
          if (writer == nullptr || !request.path.starts_with(shared_store_prefix))
            return server_->answer(request);
          store::PeerServer::require_proved_body(request);
          return writer->answer(request, server_->prover(request));
        });
  };
  return std::make_unique<PeerListener>(
      make, [this](bool is_listening) { metrics_.peers_served(is_listening); }, pause,
      [this] { server_->stop(); });
}

}  // namespace flox::node
