#include "store/cache/index_cache.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/os/directory.h"
#include "nix/cache_layout.h"
#include "store/cache/decompress.h"
#include "store/cache/upload_path.h"
#include "store/local/parallel.h"

namespace flox::store {
namespace {

std::vector<nix::NarInfo> narinfos_of_directory(const BinaryCache& cache) {
  if (cache.settings().scheme != "file")
    throw Error(ErrorKind::invalid_input, fmt::format("{} cannot be listed", cache.url()),
                "Name the paths whose closures are to have indexes.");
  const Directory directory(cache.settings().rest);
  std::vector<nix::NarInfo> all;
  for (const std::string& name : directory.names())
    if (nix::digest_of_narinfo_name(name))
      all.push_back(in_context(
          name, [&] { return nix::NarInfo::parse(directory.read_file(name, nix::max_narinfo_size)); }));
  return all;
}

std::vector<nix::NarInfo> narinfos_of_closures(BinaryCache& cache, const nix::StorePathSet& paths) {
  std::vector<nix::NarInfo> all;
  nix::StorePathSet seen = paths;
  std::vector<nix::StorePath> open(paths.begin(), paths.end());
  while (!open.empty()) {
    const nix::StorePath path = open.back();
    open.pop_back();
    auto narinfo = cache.query(path);
    if (!narinfo) fail(ErrorKind::not_found, "{} does not have {}", cache.url(), path.to_string());
    for (const auto& reference : narinfo->info.references)
      if (seen.insert(reference).second) open.push_back(reference);
    all.push_back(std::move(*narinfo));
  }
  return all;
}

// Gives the bytes of the file that were written.
uint64_t index_one(BinaryCache& cache, const nix::NarInfo& old, const IndexCacheOptions& options,
                   unsigned workers) {
  UploadedNar uploaded = upload_nar(
      cache, old.info,
      {.compression = {.method = "zstd", .level = options.level}, .index = true, .workers = workers},
      [&](const ByteSink& sink) {
        const auto decompressor = make_decompressor(old.compression, sink);
        cache.fetch(old, [&](std::string_view piece) { decompressor->feed(piece); });
        decompressor->finish();
      });
  nix::sign_index(uploaded.narinfo, *options.key);
  upload_narinfo(cache, uploaded.narinfo, nullptr);
  return uploaded.was_sent ? *uploaded.narinfo.file_size : 0;
}

}  // namespace

IndexCacheResult index_cache(BinaryCache& cache, const nix::StorePathSet& paths,
                             const IndexCacheOptions& options) {
  return in_context(fmt::format("making indexes in {}", cache.url()), [&] {
    std::vector<nix::NarInfo> all =
        paths.empty() ? narinfos_of_directory(cache) : narinfos_of_closures(cache, paths);
    std::ranges::stable_sort(all, std::ranges::greater{},
                             [](const auto& narinfo) { return narinfo.info.nar_size; });
    nix::TrustedKeys own;
    own.add(options.key->public_key());
    const unsigned workers = worker_count(options.workers);
    IndexCacheResult result;
    std::mutex mutex;
    std::atomic<size_t> next = 0;
    std::atomic<bool> stop = false;
    uint64_t done = 0;
    run_workers(
        static_cast<unsigned>(std::min<size_t>(workers, all.size())),
        [&](unsigned) {
          const auto connection = cache.clone();
          for (size_t i; !stop && (i = next++) < all.size();) {
            const bool is_present = !own.index_signer_of(all[i]).empty();
            const uint64_t bytes = is_present ? 0 : in_context(all[i].info.path.to_string(), [&] {
              return index_one(*connection, all[i], options, workers);
            });
            const std::lock_guard lock(mutex);
            ++(is_present ? result.present : result.indexed);
            result.bytes += bytes;
            if (options.on_progress) options.on_progress(++done, all.size());
          }
        },
        [&] { stop = true; });
    return result;
  });
}

}  // namespace flox::store
