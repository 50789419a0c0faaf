#include "store/fetch/fetch_queue.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "store/fetch/nar_fetcher.h"

namespace flox::store {

using nix::StorePath;

namespace {

constexpr auto busy_interval =
    std::chrono::milliseconds(20);  // how often to ask whether others have fetched it
constexpr size_t files_ahead = 48;  // fetched ahead at most
// Of these from caches, where there are peers: what is claimed here, peers wait for.
constexpr size_t files_ahead_of_peers = 12;

}  // namespace

FetchQueue::FetchQueue(uint64_t memory, CacheList& caches, PeerGroup* peers, InstallerLink& installer,
                       std::vector<Substitute>& missing)
    : memory_ahead_(memory / 4), caches_(caches), peers_(peers), installer_(installer) {
  // The largest first: what comes last should not keep one worker busy while the others are idle.
  std::ranges::sort(missing, std::ranges::greater{},
                    [](const Substitute& s) { return s.narinfo.info.nar_size; });
  for (Substitute& substitute : missing) queue_.push_back(&substitute);
  if (peers_ == nullptr) return;
  std::vector<const nix::NarInfo*> wanted;
  for (const Substitute& substitute : missing) wanted.push_back(&substitute.narinfo);
  peers_->want(wanted);
}

std::optional<FetchQueue::Item> FetchQueue::take(const std::function<void()>& before_waiting) {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    look_ahead();
    if (!ahead_.empty()) {
      Item item = std::move(ahead_.front());
      ahead_.pop_front();
      return item;
    }
    if (queue_.empty()) return std::nullopt;
    lock.unlock();
    before_waiting();
    std::this_thread::sleep_for(busy_interval);
    lock.lock();
  }
  return std::nullopt;
}

void FetchQueue::look_ahead() {
  if (queue_.empty() || ahead_.size() > files_ahead / 2 || reserved_ >= memory_ahead_) return;
  std::vector<Item> asked = next_ones(files_ahead - ahead_.size());
  std::vector<StorePath> paths;
  for (const Item& item : asked) paths.push_back(item.substitute->narinfo.info.path);
  // The first claim, even of none, tells the installer that all is found.
  if (asked.empty() && std::exchange(has_claimed_, true)) return;
  has_claimed_ = true;
  const auto states = installer_.claim(paths);
  for (size_t i = 0; i < asked.size(); ++i) {
    Item& item = asked[i];
    if (states[i] == v1::ClaimAnswer::BUSY) queue_.push_back(item.substitute);
    if (states[i] == v1::ClaimAnswer::PRESENT && peers_ != nullptr)
      peers_->done(item.substitute->narinfo.info);
    if (states[i] != v1::ClaimAnswer::YOURS) continue;
    if (reserved_ < memory_ahead_) fetch_ahead(item);
    ahead_.push_back(std::move(item));
  }
}

std::vector<FetchQueue::Item> FetchQueue::next_ones(size_t most) {
  std::vector<Item> items;
  auto of_caches =
      static_cast<size_t>(std::ranges::count_if(ahead_, [](const Item& item) { return !item.peer; }));
  for (size_t left = queue_.size(); left > 0 && items.size() < most; --left) {
    Substitute* substitute = queue_.front();
    queue_.pop_front();
    Item item{.substitute = substitute, .peer = std::nullopt, .file = nullptr};
    if (peers_ != nullptr) {
      const PeerShare::Choice choice = peers_->choose(substitute->narinfo.info);
      const bool is_enough = choice.from == PeerShare::From::caches && ++of_caches > files_ahead_of_peers;
      if (choice.from == PeerShare::From::later || (is_enough && peers_->is_shared())) {
        queue_.push_back(substitute);
        continue;
      }
      if (choice.from == PeerShare::From::peer) item.peer = choice.peer;
    }
    items.push_back(std::move(item));
  }
  return items;
}

void FetchQueue::fetch_ahead(Item& item) {
  const nix::NarInfo narinfo =
      item.peer ? narinfo_at_peer(item.substitute->narinfo) : item.substitute->narinfo;
  BinaryCache& cache = item.peer ? peers_->cache(*item.peer) : caches_.at(item.substitute->cache);
  const uint64_t size = announced_size(narinfo);
  // A file ahead must fit its buffer: one that waits for room would block those behind it on a connection
  // that they share, among them perhaps the one that the workers wait for.
  if (!cache.is_remote() || size > small_file) return;
  try {
    item.file = cache.open_nar(narinfo, static_cast<size_t>(2 * size) + (1 << 20));
    item.reserved = size;
    reserved_ += size;
  } catch (const Error& error) {  // it will come again when it is fetched
    log::debug("fetching ahead: {}", error.what());
  }
}

void FetchQueue::put_back(const Item& item) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(item.substitute);
}

void FetchQueue::finish(const Item& item) {
  const std::lock_guard lock(mutex_);
  reserved_ -= item.reserved;
}

}  // namespace flox::store
