#include "store/substitutes.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "store/local_store.h"
#include "store/parallel.h"

namespace flox::store {
namespace {

// Asking is waiting for the network, not work: more threads than cores.
constexpr unsigned askers = 8;

// Whether the path's name follows from its content address (nix.md 1.4); nothing if it is of another form.
std::optional<bool> proves_name(const PathInfo& info) {
  constexpr std::string_view form = "fixed:r:sha256:";
  if (!info.content_address || !info.content_address->starts_with(form)) return std::nullopt;
  const Sha256Digest hash = nix::parse_hash(std::string_view(*info.content_address).substr(form.size() - 7));
  nix::StorePathSet references = info.references;
  const bool self = references.erase(info.path) > 0;
  return nix::content_addressed_path(info.path.name(), hash, references, self) == info.path;
}

std::string signers(const PathInfo& info) {
  std::vector<std::string> names;
  for (const std::string& signature : info.signatures)
    names.push_back(signature.substr(0, signature.find(':')));
  return fmt::format("{}", fmt::join(names, ", "));
}

// Throws unless the options let us take the path from where this narinfo came.
void check_trust(PathInfo& info, const RealiseOptions& options) {
  const std::optional<bool> proven = proves_name(info);
  if (proven == false)
    fail(ErrorKind::untrusted, "the content address {} does not belong to {}", *info.content_address,
         info.path.to_string());
  if (!proven) info.content_address.reset();
  if (!options.trusted_keys.signer_of(info).empty()) return;
  if (proven == true && options.trust_content_addressed) return;

  const std::vector<std::string> trusted = options.trusted_keys.names();
  const std::string names = signers(info);
  std::string problem = "it is not signed";
  if (!info.signatures.empty()) {
    const bool known = std::ranges::any_of(info.signatures, [&](const std::string& signature) {
      return std::ranges::find(trusted, signature.substr(0, signature.find(':'))) != trusted.end();
    });
    problem = known ? fmt::format("its signature by {} is wrong", names)
                    : fmt::format("it is signed by {}, whom we do not trust", names);
  }
  throw Error(ErrorKind::untrusted,
              fmt::format("{}; trusted keys: {}", problem,
                          trusted.empty() ? "none" : fmt::format("{}", fmt::join(trusted, ", "))),
              "Add the publisher's public key to trusted_keys in the configuration (FLOX_TRUSTED_KEYS).");
}

// The search of a closure by several threads.
class Search {
 public:
  Search(const LocalStore& store, const RealiseOptions& options) : store_(store), options_(options) {}

  std::vector<Substitute> run(const nix::StorePathSet& paths) {
    enqueue(paths);
    run_workers(
        askers, [&](unsigned) { work(); }, [&] { finish(); });
    return std::move(found_);
  }

 private:
  void work() {
    CacheList caches(options_.caches);
    while (const auto path = take()) {
      if (!store_.is_valid(*path)) {
        Substitute substitute = find(*path, caches);
        enqueue(substitute.narinfo.info.references);
        const std::lock_guard lock(mutex_);
        found_.push_back(std::move(substitute));
      }
      const std::lock_guard lock(mutex_);
      if (--open_ == 0) changed_.notify_all();
    }
  }

  Substitute find(const StorePath& path, CacheList& caches) {
    if (caches.size() == 0)
      throw Error(ErrorKind::not_found,
                  fmt::format("{} is not in the store, and no binary cache is configured", path.to_string()),
                  "Name caches in the configuration (FLOX_CACHES), or build the path here.");
    Reasons reasons;
    for (size_t i = 0; i < caches.size(); ++i) {
      try {
        if (auto narinfo = find_at(caches.at(i), path, options_, reasons))
          return {.narinfo = std::move(*narinfo), .cache = i};
      } catch (const Error& error) {
        reasons.add(error);
      }
    }
    reasons.fail(path);
  }

  // `open_` counts the paths that are queued or being looked at.
  void enqueue(const nix::StorePathSet& paths) {
    store_.add_temp_roots(paths);  // before anybody looks whether they are valid
    const std::lock_guard lock(mutex_);
    for (const StorePath& path : paths) {
      if (!seen_.insert(path).second) continue;
      queue_.push_back(path);
      ++open_;
    }
    changed_.notify_all();
  }

  std::optional<StorePath> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || open_ == 0 || !queue_.empty(); });
    if (stopped_ || queue_.empty()) return std::nullopt;
    StorePath path = std::move(queue_.front());
    queue_.pop_front();
    return path;
  }

  void finish() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  const LocalStore& store_;
  const RealiseOptions& options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<StorePath> queue_;
  nix::StorePathSet seen_;
  size_t open_ = 0;
  bool stopped_ = false;
  std::vector<Substitute> found_;
};

}  // namespace

CacheList::CacheList(const std::vector<std::string>& urls) {
  for (const std::string& url : urls) caches_.push_back(BinaryCache::open(url));
}

void Reasons::add(const Error& error) { errors_.push_back(error); }

void Reasons::absent(const std::string& cache_url) {
  errors_.emplace_back(ErrorKind::not_found, fmt::format("cache {}: does not have it", cache_url));
}

void Reasons::fail(const nix::StorePath& path) const {
  ErrorKind kind = ErrorKind::not_found;
  std::string text;
  std::string advice;
  for (const Error& error : errors_) {
    text += fmt::format("{}{}", text.empty() ? "" : "; ", error.what());
    if (advice.empty()) advice = error.advice();
    if (error.kind() == ErrorKind::untrusted || error.kind() == ErrorKind::invalid_input)
      kind = ErrorKind::untrusted;
    if (error.kind() != ErrorKind::not_found && kind != ErrorKind::untrusted) kind = ErrorKind::unavailable;
  }
  throw Error(kind, fmt::format("{}: {}", path.to_string(), text), advice);
}

std::optional<nix::NarInfo> find_at(BinaryCache& cache, const nix::StorePath& path,
                                    const RealiseOptions& options, Reasons& reasons) {
  auto narinfo = cache.query(path);
  if (!narinfo) {
    reasons.absent(cache.url());
    return std::nullopt;
  }
  in_context("cache " + cache.url(), [&] { check_trust(narinfo->info, options); });
  return narinfo;
}

std::vector<Substitute> find_missing(const LocalStore& store, const nix::StorePathSet& paths,
                                     const RealiseOptions& options) {
  return Search(store, options).run(paths);
}

}  // namespace flox::store
