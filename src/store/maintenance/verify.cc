#include "store/maintenance/verify.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/error.h"
#include "nix/nar.h"
#include "store/local/parallel.h"

namespace flox::store {
namespace {

// Empty if nothing is wrong.
std::string problem_of(const LocalStore& store, const PathInfo& info, bool contents) {
  if (fs::symlink_status(store.real_path(info.path)).type() == fs::file_type::not_found)
    return "its files are missing";
  if (!contents) return {};
  Sha256 hash;
  uint64_t size = 0;
  try {
    nix::write_nar(store.real_path(info.path), [&](std::string_view piece) {
      hash.update(piece);
      size += piece.size();
    });
  } catch (const Error& error) {
    return error.what();
  }
  if (const Sha256Digest found = hash.finish(); found != info.nar_hash)
    return fmt::format("its NAR hash is {} instead of {}", nix::hash_text(found),
                       nix::hash_text(info.nar_hash));
  if (size != info.nar_size) return fmt::format("its NAR has {} bytes instead of {}", size, info.nar_size);
  return {};
}

// The largest first: what comes last should not keep one core busy while the others are idle.
std::vector<ReferenceGraph::Node> paths_to_check(const LocalStore& store, const StorePathSet& wanted) {
  const ReferenceGraph graph = store.references();
  std::vector<ReferenceGraph::Node> nodes;
  for (const StorePath& path : wanted) {
    const auto index = graph.find(path);
    if (!index) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    nodes.push_back(graph[*index]);
  }
  for (ReferenceGraph::Index i = 0; wanted.empty() && i < graph.size(); ++i) nodes.push_back(graph[i]);
  std::ranges::stable_sort(nodes, std::ranges::greater{}, &ReferenceGraph::Node::nar_size);
  return nodes;
}

}  // namespace

std::vector<Damage> verify(const LocalStore& store, const VerifyOptions& options) {
  store.add_temp_roots(options.paths.empty() ? store.valid_paths() : options.paths);
  const std::vector<ReferenceGraph::Node> nodes = paths_to_check(store, options.paths);
  std::vector<Damage> damages;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  run_workers(worker_count(0), [&](unsigned) {
    for (size_t i; (i = next++) < nodes.size();) {
      std::string problem;
      try {
        const auto info = store.query(nodes[i].path);
        if (info) problem = problem_of(store, *info, options.contents);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::invalid_input) throw;
        problem = error.what();  // its row is odd
      }
      const std::lock_guard lock(mutex);
      if (!problem.empty()) damages.push_back({.path = nodes[i].path, .problem = std::move(problem)});
      if (options.on_path) options.on_path(nodes[i].path, nodes[i].nar_size);
    }
  });
  std::ranges::sort(damages, {}, &Damage::path);
  return damages;
}

}  // namespace flox::store
