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
constexpr auto transfer_interval = std::chrono::milliseconds(5);  // whether a file that was asked for is here
constexpr size_t files_ahead = 48;                                // fetched ahead at most
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
    if (ahead_.empty() && peers_ != nullptr) hedge();
    if (auto item = take_ahead()) return item;
    if (queue_.empty() && ahead_.empty()) return std::nullopt;
    const auto pause = ahead_.empty() ? busy_interval : transfer_interval;
    lock.unlock();
    before_waiting();
    std::this_thread::sleep_for(pause);
    lock.lock();
  }
  return std::nullopt;
}

std::optional<FetchQueue::Item> FetchQueue::take_ahead() {
  if (ahead_.empty()) return std::nullopt;
  auto next = ahead_.begin();
  if (peers_ != nullptr) {
    for (Item& item : ahead_) {
      ask_second(item);
      decide(item);
    }
    next = std::ranges::find_if(ahead_, [](const Item& item) { return !item.file || item.file->is_there(); });
    if (next == ahead_.end()) return std::nullopt;
  }
  Item item = std::move(*next);
  ahead_.erase(next);
  return item;
}

void FetchQueue::look_ahead() {
  if (queue_.empty() || ahead_.size() > files_ahead / 2 || reserved_ >= memory_ahead_) return;
  std::vector<Item> items = next_ones(files_ahead - ahead_.size());
  // The first claim, even of none, tells the installer that all is found.
  if (!items.empty() || !has_claimed_) claim(std::move(items));
}

void FetchQueue::claim(std::vector<Item> items) {
  std::vector<StorePath> paths;
  for (const Item& item : items) paths.push_back(item.substitute->narinfo.info.path);
  has_claimed_ = true;
  const auto states = installer_.claim(paths);
  for (size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    const nix::PathInfo& info = item.substitute->narinfo.info;
    if (states[i] == v1::ClaimAnswer::BUSY) {
      queue_.push_back(item.substitute);
      if (peers_ != nullptr) peers_->released(info);
    }
    if (states[i] == v1::ClaimAnswer::PRESENT && peers_ != nullptr) peers_->done(info);
    if (states[i] != v1::ClaimAnswer::YOURS) continue;
    if (peers_ != nullptr)
      peers_->took(info,
                   item.peer ? PeerShare::Choice{PeerShare::From::peer, *item.peer} : PeerShare::Choice{});
    item.since = std::chrono::steady_clock::now();
    if (reserved_ < memory_ahead_) fetch_ahead(item);
    ahead_.push_back(std::move(item));
  }
}

void FetchQueue::hedge() {
  const auto name = peers_->hedge();
  if (!name) return;
  const auto found = std::ranges::find_if(
      queue_, [&](const Substitute* substitute) { return peer_name(substitute->narinfo.info) == *name; });
  if (found == queue_.end()) return;
  std::vector<Item> items;
  items.push_back({.substitute = *found});
  queue_.erase(found);
  claim(std::move(items));
}

std::vector<FetchQueue::Item> FetchQueue::next_ones(size_t most) {
  std::vector<Item> items;
  auto of_caches =
      static_cast<size_t>(std::ranges::count_if(ahead_, [](const Item& item) { return !item.peer; }));
  for (size_t left = queue_.size(); left > 0 && items.size() < most; --left) {
    Substitute* substitute = queue_.front();
    queue_.pop_front();
    Item item{.substitute = substitute};
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
  item.file = open_ahead(*item.substitute, item.peer, item.reserved);
}

std::unique_ptr<NarFile> FetchQueue::open_ahead(const Substitute& substitute, std::optional<size_t> peer,
                                                uint64_t& reserved) {
  const nix::NarInfo narinfo = peer ? narinfo_at_peer(substitute.narinfo) : substitute.narinfo;
  BinaryCache& cache = peer ? peers_->cache(*peer) : caches_.at(substitute.cache);
  const uint64_t size = announced_size(narinfo);
  // A file ahead must fit its buffer: one that waits for room would block those behind it on a connection
  // that they share, among them perhaps the one that the workers wait for.
  if (!cache.is_remote() || size > small_file) return nullptr;
  if (!peer && substitute.has_base) return nullptr;  // not all of it is needed
  try {
    auto file = cache.open_nar(narinfo, static_cast<size_t>(2 * size) + (1 << 20));
    reserved += size;
    reserved_ += size;
    return file;
  } catch (const Error& error) {  // it will come again when it is fetched
    log::debug("fetching ahead: {}", error.what());
    return nullptr;
  }
}

void FetchQueue::ask_second(Item& item) {
  if (!item.peer || !item.file || item.second || item.file->is_there()) return;
  const PeerShare::Choice choice = peers_->second(*item.peer, item.substitute->narinfo.info, item.since);
  if (choice.from == PeerShare::From::later) return;
  Item::Second second{.since = std::chrono::steady_clock::now()};
  if (choice.from == PeerShare::From::peer) second.peer = choice.peer;
  second.file = open_ahead(*item.substitute, second.peer, item.reserved);
  item.second = std::move(second);
  if (!item.second->file) keep_second(item);  // the worker opens it
}

void FetchQueue::decide(Item& item) {
  if (!item.second || !item.file) return;
  if (item.file->is_there()) {
    if (item.second->peer) peers_->overtaken(*item.second->peer, false);
    item.second.reset();
  } else if (item.second->file->is_there()) {
    keep_second(item);
  }
}

void FetchQueue::keep_second(Item& item) {
  peers_->overtaken(*item.peer, true);
  item.peer = item.second->peer;
  item.file = std::move(item.second->file);
  item.since = item.second->since;
  item.second.reset();
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
