// What is to be fetched, for several threads: claims paths, so that no two processes fetch one, and begins to
// fetch small files ahead of their turn. The fetcher's side.
#pragma once

#include <atomic>
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
    std::unique_ptr<NarFile> file;
    uint64_t reserved = 0;  // bytes of what is fetched ahead
  };

  // `memory`, bytes: a quarter of it may hold what is fetched ahead. Each Substitute outlives the queue.
  FetchQueue(uint64_t memory, CacheList& caches, InstallerLink& installer, std::vector<Substitute>& missing);

  // The next path that is ours to fetch. While only such are left that other processes are fetching, it calls
  // `before_waiting`, without a lock, and waits for those. Nothing at the end, and after stop().
  std::optional<Item> take(const std::function<void()>& before_waiting);
  // Gives the item's memory back.
  void finish(const Item& item);
  // Does not wait.
  void stop() noexcept { stopped_ = true; }

 private:
  // Claims paths in order, many at once, and begins to fetch small files, as far as memory allows.
  void look_ahead();
  void fetch_ahead(Item& item);

  const uint64_t memory_ahead_;
  CacheList& caches_;
  InstallerLink& installer_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::deque<Substitute*> queue_;  // not claimed yet
  std::deque<Item> ahead_;         // ours, for the workers
  uint64_t reserved_ = 0;          // bytes, for what is fetched ahead
};

}  // namespace flox::store
