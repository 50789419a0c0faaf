#include "store/fetch/fetch_pipeline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "store/fetch/fetch_queue.h"
#include "store/fetch/nar_fetcher.h"
#include "store/local/parallel.h"

namespace flox::store {
namespace {

namespace fs = std::filesystem;
using nix::StorePath;

using Clock = std::chrono::steady_clock;

// Trees that the installer is shown together, and when it is: small ones only.
constexpr size_t handed_over_at_once = 32;
constexpr uint64_t handed_over_bytes = 1 << 20;  // of NARs

// Each path from the first cache that gives what was signed, into a tree that the installer takes over.
class Pipeline {
 public:
  Pipeline(const v1::FetchRequest& request, CacheList& caches, PeerGroup* peers, InstallerLink& installer,
           std::vector<Substitute> missing)
      : request_(request),
        caches_(caches),
        peers_(peers),
        installer_(installer),
        missing_(std::move(missing)),
        queue_(request.memory(), caches, peers, installer, missing_),
        nars_(
            request.memory(), worker_count(request.workers()),
            [this](uint64_t bytes) { installer_.tell_progress(bytes); },
            request.metered() ? std::function<void(uint64_t)>(
                                    [this](uint64_t bytes) { installer_.wait_for_allowance(bytes); })
                              : std::function<void(uint64_t)>()) {
    if (peers_ != nullptr)
      peers_->measure_caches([this](const nix::PathInfo& info) { return open_beginning(info); });
  }

  void run() {
    const auto workers =
        static_cast<unsigned>(std::min<size_t>({static_cast<size_t>(request_.directories_size()),
                                                worker_count(request_.workers()), missing_.size()}));
    run_workers(
        workers,
        [&](unsigned number) {
          Worker worker{.number = number,
                        .directory = request_.directories(static_cast<int>(number)),
                        .decompressors = {},
                        .unpacked = {}};
          // Others may be waiting for what is not handed over yet.
          while (auto item = queue_.take([&] { hand_over(worker); })) {
            fetch(*item, worker);
            queue_.finish(*item);
          }
          hand_over(worker);
        },
        [&] {
          queue_.stop();
          nars_.stop();
        });
    if (missing_.empty()) installer_.claim({});
  }

 private:
  // So much of a file says how fast its cache is.
  static constexpr uint64_t beginning_bytes = 4 << 20;

  struct Unpacked {
    const Substitute* substitute;
    uint64_t number;             // the tree's name in the worker's directory
    std::optional<size_t> peer;  // that gave it
    Clock::time_point since;     // it was asked for
  };

  // What each thread has of its own.
  struct Worker {
    unsigned number;
    fs::path directory;
    Decompressors decompressors;
    std::vector<Unpacked> unpacked;  // not handed over yet
    uint64_t bytes = 0;              // of their NARs
  };

  // From the cache where it was found, else from those after it. Small ones are handed over together.
  void fetch(FetchQueue::Item& item, Worker& worker) {
    const Substitute& found = *item.substitute;
    guarded(found, [&] {
      // What is done does not wait for the network: whoever takes over after us finds it staged.
      const bool waits = item.peer || caches_.at(found.cache).is_remote();
      if (waits && !(item.file && item.file->is_there())) hand_over(worker);
      if (!item.peer && found.has_base && fetch_delta(found, worker)) return;
      Reasons reasons;
      const auto number = item.peer
                              ? unpack_of_peer(found, *item.peer, std::move(item.file), worker)
                              : unpack(found.narinfo, found.cache, std::move(item.file), worker, reasons);
      // Another peer may have it by now, and if not, a cache.
      if (!number && item.peer) return queue_.put_back(item);
      if (!number) return fetch_elsewhere(found, worker, reasons);
      if (!item.peer && peers_ != nullptr) peers_->cache_gave(Clock::now() - item.since);
      worker.unpacked.push_back({&found, *number, item.peer, item.since});
      worker.bytes += found.narinfo.info.nar_size;
      if (worker.unpacked.size() >= handed_over_at_once || worker.bytes >= handed_over_bytes)
        hand_over(worker);
    });
  }

  // Of what this node has under other paths, and of what it lacks: whether the installer has it now. If not,
  // whatever the reason, it is fetched as a whole.
  bool fetch_delta(const Substitute& found, Worker& worker) {
    const StorePath& path = found.narinfo.info.path;
    const uint64_t number = next_tree_++;
    const fs::path tree = worker.directory / std::to_string(number);
    std::string why;
    try {
      nars_.fetch_delta(found.narinfo, caches_.at(found.cache), tree,
                        [&](const std::string& index, size_t chunks) {
                          return installer_.begin({path, worker.number, number}, index, chunks);
                        });
      const auto refused = hand_over(found, number, worker);
      if (!refused) return true;
      why = refused->what();
    } catch (const Error& error) {
      why = error.what();
    }
    log::info("{} is fetched as a whole: {}", path.to_string(), why);
    remove_tree(tree);
    return false;
  }

  // This tree at once: why it is refused, if it is.
  std::optional<Error> hand_over(const Substitute& found, uint64_t number, const Worker& worker) {
    auto refused = installer_
                       .unpacked({{found.narinfo.info.path, worker.number, number}}, nars_.bytes_fetched(),
                                 nars_.peak_memory())
                       .front();
    if (!refused && peers_ != nullptr) peers_->done(found.narinfo.info);
    return refused;
  }

  // All that waits for it: what is not what was signed is fetched from elsewhere.
  void hand_over(Worker& worker) {
    if (worker.unpacked.empty()) return;
    const auto unpacked = std::exchange(worker.unpacked, {});
    worker.bytes = 0;
    std::vector<InstallerLink::Tree> trees;
    for (const Unpacked& one : unpacked)
      trees.push_back({one.substitute->narinfo.info.path, worker.number, one.number});
    const auto refused = installer_.unpacked(trees, nars_.bytes_fetched(), nars_.peak_memory());
    for (size_t i = 0; i < unpacked.size(); ++i) {
      const Substitute& found = *unpacked[i].substitute;
      const std::optional<size_t> peer = unpacked[i].peer;
      if (!refused[i]) {
        if (peer) peers_->gave(*peer, found.narinfo.info, Clock::now() - unpacked[i].since);
        if (peers_ != nullptr) peers_->done(found.narinfo.info);
        continue;
      }
      guarded(found, [&] {
        Reasons reasons;
        if (!peer) {
          refuse(found.narinfo, found.cache, *refused[i], reasons);
          return fetch_elsewhere(found, worker, reasons);
        }
        if (refused[i]->kind() != ErrorKind::untrusted) throw LocalFailure(*refused[i]);
        peers_->lied(*peer, found.narinfo.info, *refused[i]);
        if (!fetch_now(found, found.narinfo, found.cache, worker, reasons))
          fetch_elsewhere(found, worker, reasons);
      });
    }
  }

  // Calls `work`, which is for the path of `found`.
  template <typename Work>
  static void guarded(const Substitute& found, Work&& work) {
    try {
      work();
    } catch (const LocalFailure& failure) {
      throw failure.error()
          .with_context("unpacking " + found.narinfo.info.path.to_string())
          .with_advice("See that the store's file system has room (df, df -i) and can be written.");
    } catch (const Stopped&) {
    }
  }

  // From this cache, and handed over at once. False, with the reason added, if that is no use.
  bool fetch_now(const Substitute& found, const nix::NarInfo& narinfo, size_t cache, Worker& worker,
                 Reasons& reasons) {
    const auto number = unpack(narinfo, cache, nullptr, worker, reasons);
    if (!number) return false;
    const auto refused = hand_over(found, *number, worker);
    if (refused) refuse(narinfo, cache, *refused, reasons);
    return !refused;
  }

  void fetch_elsewhere(const Substitute& found, Worker& worker, Reasons& reasons) {
    const StorePath& path = found.narinfo.info.path;
    for (size_t i = 0; i < caches_.size(); ++i) {
      // What is remembered of the first one may be out of date.
      const bool first = i == found.cache;
      if (first && !caches_.at(i).is_remote()) continue;
      if (i < found.cache && caches_.why_not(i)) continue;
      try {
        auto other = find_at(caches_, i, path, installer_, reasons);
        if (!other || (first && other->url == found.narinfo.url)) continue;
        if (fetch_now(found, *other, i, worker, reasons)) return;
      } catch (const Error& error) {
        reasons.add(error);
      }
    }
    reasons.fail(path);
  }

  // The installer does not take it. What is not what was signed, the cache has to answer for; anything else
  // is this machine's fault.
  void refuse(const nix::NarInfo& narinfo, size_t cache, const Error& error, Reasons& reasons) {
    if (error.kind() != ErrorKind::untrusted) throw LocalFailure(error);
    BinaryCache& from = caches_.at(cache);
    if (from.is_remote()) installer_.tell_absent(caches_.number(cache), narinfo.info.path, true);
    reasons.add(error.with_context("cache " + from.url()));
  }

  PeerPace::Beginning open_beginning(const nix::PathInfo& info) {
    const auto found = std::ranges::find_if(
        missing_, [&](const Substitute& one) { return one.narinfo.info.path == info.path; });
    if (found == missing_.end() || !caches_.at(found->cache).is_remote()) return {};
    const uint64_t all = announced_size(found->narinfo);
    const uint64_t size = std::min(beginning_bytes, all);
    try {
      return {
          .file = caches_.at(found->cache).open_part(found->narinfo, {.first = 0, .size = size}, 2 * size),
          .bytes = static_cast<uint64_t>(static_cast<double>(info.nar_size) * static_cast<double>(size) /
                                         static_cast<double>(all))};
    } catch (const Error& error) {
      log::debug("measuring how fast a cache is: {}", error.what());
      return {};
    }
  }

  // The same as unpack(), from a peer.
  std::optional<uint64_t> unpack_of_peer(const Substitute& found, size_t peer, std::unique_ptr<NarFile> file,
                                         Worker& worker) {
    const uint64_t number = next_tree_++;
    const fs::path tree = worker.directory / std::to_string(number);
    try {
      nars_.fetch(narinfo_at_peer(found.narinfo), peers_->cache(peer), std::move(file), tree,
                  worker.decompressors, true);
      return number;
    } catch (const Error& error) {
      remove_tree(tree);
      error.kind() == ErrorKind::untrusted ? peers_->lied(peer, found.narinfo.info, error)
                                           : peers_->failed(peer, found.narinfo.info, error);
      return std::nullopt;
    } catch (...) {
      remove_tree(tree);
      throw;
    }
  }

  // The tree's number in the worker's directory; nothing if the cache did not give what it announced.
  std::optional<uint64_t> unpack(const nix::NarInfo& narinfo, size_t cache, std::unique_ptr<NarFile> file,
                                 Worker& worker, Reasons& reasons) {
    const uint64_t number = next_tree_++;
    const fs::path tree = worker.directory / std::to_string(number);
    BinaryCache& from = caches_.at(cache);
    try {
      const auto began = Clock::now();
      const bool is_large = announced_size(narinfo) > small_file;
      nars_.fetch(narinfo, from, std::move(file), tree, worker.decompressors);
      if (peers_ != nullptr && is_large) peers_->cache_rate(narinfo.info.nar_size, Clock::now() - began);
      return number;
    } catch (const Error& error) {
      remove_tree(tree);
      if (from.is_remote()) installer_.tell_absent(caches_.number(cache), narinfo.info.path, true);
      reasons.add(error);
      return std::nullopt;
    } catch (...) {
      remove_tree(tree);
      throw;
    }
  }

  const v1::FetchRequest& request_;
  CacheList& caches_;
  PeerGroup* const peers_;
  InstallerLink& installer_;
  std::vector<Substitute> missing_;
  FetchQueue queue_;
  NarFetcher nars_;
  std::atomic<uint64_t> next_tree_ = 0;
};

}  // namespace

void fetch_all(const v1::FetchRequest& request, CacheList& caches, PeerGroup* peers, InstallerLink& installer,
               std::vector<Substitute> missing) {
  Pipeline(request, caches, peers, installer, std::move(missing)).run();
}

}  // namespace flox::store
