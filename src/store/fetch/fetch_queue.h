// What is to be fetched, for several threads: claims paths, so that no two processes fetch one, and begins to
// fetch small files ahead of their turn. The fetcher's side.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/fetch/installer_link.h"
#include "store/fetch/substitutes.h"

namespace flox::store {

// Thread-safe.
class FetchQueue {
 public:
  // A path that is ours to fetch, and perhaps being fetched ahead.
  struct Item {
    Substitute* substitute = nullptr;
    std::optional<size_t> peer;  // that gives it, instead of the cache where it was found
    std::unique_ptr<NarFile> file;
    uint64_t reserved = 0;                          // bytes of what is fetched ahead
    std::chrono::steady_clock::time_point since{};  // it is asked for
    // A second request, where the peer makes wait: of another peer, or of the cache.
    struct Second {
      std::optional<size_t> peer;
      std::unique_ptr<NarFile> file;
      std::chrono::steady_clock::time_point since{};
    };
    std::optional<Second> second;
  };

  // `memory`, bytes: a quarter of it may hold what is fetched ahead. Each Substitute outlives the queue.
  // Without peers, null.
  FetchQueue(uint64_t memory, CacheList& caches, PeerGroup* peers, InstallerLink& installer,
             std::vector<Substitute>& missing);

  // The next path that is ours to fetch. While only such are left that other processes are fetching, or
  // peers, it calls `before_waiting`, without a lock, and waits for those. Nothing at the end, and after
  // stop().
  std::optional<Item> take(const std::function<void()>& before_waiting);
  // It was not given after all: it comes again.
  void put_back(const Item& item);
  // Gives the item's memory back.
  void finish(const Item& item);
  // Does not wait.
  void stop() noexcept { stopped_ = true; }

 private:
  // What is to be claimed now, with the peers that give it: those that peers will have later stay in the
  // queue.
  std::vector<Item> next_ones(size_t most);
  // Claims paths in order, many at once, and begins to fetch small files, as far as memory allows.
  void look_ahead();
  void claim(std::vector<Item> items);
  // One path that peers are too slow with, from the caches.
  void hedge();
  void fetch_ahead(Item& item);
  std::unique_ptr<NarFile> open_ahead(const Substitute& substitute, std::optional<size_t> peer,
                                      uint64_t& reserved);
  // The next for a worker: with peers one that does not make it wait, if there is any.
  std::optional<Item> take_ahead();
  void ask_second(Item& item);
  // The first of two files that is there is the item's.
  void decide(Item& item);
  void keep_second(Item& item);

  const uint64_t memory_ahead_;
  CacheList& caches_;
  PeerGroup* const peers_;
  InstallerLink& installer_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::deque<Substitute*> queue_;  // not claimed yet
  std::deque<Item> ahead_;         // ours, for the workers
  uint64_t reserved_ = 0;          // bytes, for what is fetched ahead
  bool has_claimed_ = false;
};

}  // namespace flox::store
