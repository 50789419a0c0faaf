#include "store/verify.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/error.h"
#include "nix/nar.h"
#include "store/parallel.h"

namespace flox::store {
namespace {

// Empty if nothing is wrong.
std::string problem_of(const LocalStore& store, const StorePath& path) {
  const auto info = store.query(path);
  if (!info) return {};  // collected meanwhile
  if (fs::symlink_status(store.real_path(path)).type() == fs::file_type::not_found)
    return "its files are missing";
  Sha256 hash;
  uint64_t size = 0;
  try {
    nix::write_nar(store.real_path(path), [&](std::string_view piece) {
      hash.update(piece);
      size += piece.size();
    });
  } catch (const Error& error) {
    return error.what();
  }
  if (const Sha256Digest found = hash.finish(); found != info->nar_hash)
    return fmt::format("its NAR hash is {} instead of {}", nix::hash_text(found),
                       nix::hash_text(info->nar_hash));
  if (size != info->nar_size) return fmt::format("its NAR has {} bytes instead of {}", size, info->nar_size);
  return {};
}

}  // namespace

std::vector<Damage> verify(const LocalStore& store, const std::function<void()>& on_path) {
  const StorePathSet all = store.valid_paths();
  store.add_temp_roots(all);
  const std::vector<StorePath> paths(all.begin(), all.end());
  std::vector<Damage> damages;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  run_workers(worker_count(0), [&](unsigned) {
    for (size_t i; (i = next++) < paths.size();) {
      std::string problem = problem_of(store, paths[i]);
      const std::lock_guard lock(mutex);
      if (!problem.empty()) damages.push_back({.path = paths[i], .problem = std::move(problem)});
      if (on_path) on_path();
    }
  });
  std::ranges::sort(damages, {}, &Damage::path);
  return damages;
}

}  // namespace flox::store
