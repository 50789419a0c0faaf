#include "node/floxd/lazy_starts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "catalog/settings.h"
#include "env/environment.h"
#include "nix/base32.h"
#include "node/floxd/stage_timer.h"
#include "node/lazy/lazy_profile.h"
#include "store/gc/lease.h"
#include "store/local/store_guard.h"

namespace flox::node {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::string_view view_prefix = "lazy-";  // no closure's name has a '-'
constexpr const char* record_name = "lazy.json";
constexpr JsonLimits record_limits{.bytes = 64 << 20};
constexpr milliseconds look_pause(100);
// A closure is completed once nobody has waited for a part of it for so long, or if that does not come to an
// end: what a start reads comes first. Whoever reads what was fetched ahead does not wait, and is let start,
// too.
constexpr milliseconds quiet(400), quiet_ahead(1000), longest_wait(15'000);
constexpr std::chrono::seconds longest_attempt_pause(300);
constexpr milliseconds retry_time(10'000);
constexpr std::chrono::hours completion_time(24);
constexpr size_t most_paths = 20'000;
constexpr size_t most_why = 300;      // characters
constexpr size_t most_unread = 1000;  // the same

StoreViews::Entry entry_of(const LazyPath& path) {
  return {
      .name = std::string(path.info.path.base_name()),
      .mode = lazy::mode_of(lazy::kind_of(path.top.type), path.top.type == store::NarIndex::Type::executable),
      .size = path.top.size,
      .target = path.top.target,
      .redirect = "/" + lazy::ServedPaths::name_of(path.info.path, path.slot)};
}

std::vector<nix::StorePath> packages_of(const env::Lockfile& lock, const std::string& system) {
  std::vector<nix::StorePath> packages;
  for (const auto& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) packages.push_back(path);
  return packages;
}

lazy::MountWaits waits_since(lazy::MountWaits now, const lazy::MountWaits& before) {
  if (now.server != before.server) return now;
  now.micros -= before.micros;
  for (size_t i = 0; i < now.counts.size(); ++i) now.counts[i] -= before.counts[i];
  return now;
}

}  // namespace

// The closure of what was asked for.
struct LazyStarts::Found {
  nix::StorePathSet present;   // valid ones that the others, or the lock, refer to
  std::vector<LazyPath> lazy;  // all that are not
  // The valid ones, and all that they refer to; of the lock's closure alone, and with what is beside it.
  nix::StorePathSet valid, valid_with_beside;
  uint64_t size = 0;                    // of the lock's closure, bytes
  std::optional<StartProfile> profile;  // of earlier starts
  bool is_published = false;            // the profile was in the catalog
  bool is_ahead = false;                // what it will read is fetched already
  uint64_t ahead = 0;                   // so much of it, bytes

  std::vector<nix::StorePath> names() const {
    std::vector<nix::StorePath> result;
    for (const LazyPath& path : lazy) result.push_back(path.info.path);
    return result;
  }
  LazyBegin begin() const {
    uint64_t missing = 0;
    for (const LazyPath& path : lazy) missing += path.info.nar_size;
    return {.closure_bytes = size,
            .missing_bytes = missing,
            .has_profile = is_ahead,
            .profile_bytes = ahead,
            .is_published = is_ahead && is_published};
  }
};

class LazyStarts::Use {
 public:
  explicit Use(LazyStarts& owner) : owner_(owner) {
    const std::scoped_lock lock(owner_.mutex_);
    mount_ = owner_.mounts_.current();
    ++owner_.in_use_[mount_->name()];
  }
  ~Use() {
    const std::scoped_lock lock(owner_.mutex_);
    if (--owner_.in_use_[mount_->name()] == 0) owner_.in_use_.erase(mount_->name());
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  LazyMount& mount() const noexcept { return *mount_; }

 private:
  LazyStarts& owner_;
  std::shared_ptr<LazyMount> mount_;
};

LazyStarts::LazyStarts(const Config& config, Environments& environments, StoreViews& views,
                       RealiseQueue& queue, Metrics& metrics, PublishedProfiles::Ask ask_catalog,
                       const fs::path& state, const fs::path& profiles, const fs::path& run)
    : config_(config),
      environments_(environments),
      views_(views),
      queue_(queue),
      metrics_(metrics),
      run_(run),
      mounts_(state, run,
              {.directory = {},
               .caches = catalog::caches_of(config, config),
               .trusted_keys = config.trusted_keys,
               .isolation = config.isolation,
               .paths = {}}),
      profiles_(profiles),
      published_(std::move(ask_catalog)) {
  read_records();
  for (const auto& mount : mounts_.all()) waits_[mount->name()] = std::nullopt;
  thread_ = std::thread([this] { this->run(); });
}

LazyStarts::~LazyStarts() {
  under_way_.stop();
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// Whether the profile is of these very packages, and not of other versions of them.
bool LazyStarts::is_of_these(const StartProfile& profile, const std::vector<nix::StorePath>& packages,
                             const store::LocalStore& store) {
  return std::ranges::all_of(
      packages, [&](const nix::StorePath& path) { return profile.has(path) || store.is_valid(path); });
}

// Whether containers have started with the same in this mount that is not whole yet: what starts of it read
// is known by now, or is being fetched.
bool LazyStarts::is_under_way(const LazyMount& mount, const Asked& asked) const {
  const std::string lock_text = asked.lock.to_compact_string();
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(records_, [&](const auto& entry) {
    const Record& record = entry.second;
    return !record.whole && record.mount == mount.name() && record.lock == lock_text &&
           record.system == asked.system && record.mode == asked.mode;
  });
}

// The node's own, if it has started these very packages before; else what was published, and then what the
// node knows of other versions.
void LazyStarts::find_profile(const LazyMount& mount, Found& found, const Asked& asked,
                              const std::vector<nix::StorePath>& packages, const store::LocalStore& store) {
  found.profile = profiles_.find(packages);
  if (asked.reference.empty() || (found.profile && is_of_these(*found.profile, packages, store)) ||
      is_under_way(mount, asked))
    return;
  std::optional<StartProfile> published = published_.find(asked.reference);
  if (!published) return;
  if (found.profile) published->merge(*found.profile);
  found.profile = std::move(published);
  found.is_published = true;
}

// What an earlier start of the very same packages has found, all at once: what it refers to is known of a
// path only when that has come. Who has published the profile may name what is not of the closure: that is
// found in vain, and forgotten.
void LazyStarts::find_ahead(LazyMount& mount, const Found& found, const std::vector<nix::StorePath>& packages,
                            const store::LocalStore& store) {
  if (!found.profile || !is_of_these(*found.profile, packages, store)) return;
  std::vector<nix::StorePath> missing;
  for (const StartProfile::Path& path : found.profile->paths)
    if (!store.is_valid(path.path)) missing.push_back(path.path);
  try {
    mount.find(missing);
  } catch (const Error& error) {
    log::debug("finding what an earlier start had: {}", error.what());
  }
}

LazyStarts::Found LazyStarts::find(LazyMount& mount, const Asked& asked, store::LocalStore& store) {
  Found found;
  const std::vector<nix::StorePath> packages = packages_of(asked.lock, asked.system);
  find_profile(mount, found, asked, packages, store);
  find_ahead(mount, found, packages, store);
  nix::StorePathSet seen;
  std::vector<nix::StorePath> next;
  const auto want = [&](const nix::StorePath& path) {
    if (seen.insert(path).second) next.push_back(path);
  };
  for (const nix::StorePath& path : packages) want(path);
  while (!next.empty()) {
    store.add_temp_roots({next.begin(), next.end()});  // before anybody looks whether they are valid
    std::vector<nix::StorePath> missing;
    for (const nix::StorePath& path : next)
      if (store.is_valid(path))
        found.present.insert(path);
      else
        missing.push_back(path);
    next.clear();
    if (found.lazy.size() + missing.size() > std::min<uint64_t>(most_paths, asked.limits.paths))
      throw Unsuitable{fmt::format("its closure has more than {} paths that are missing",
                                   std::min<uint64_t>(most_paths, asked.limits.paths))};
    for (LazyPath& path : mount.find(missing)) {
      for (const nix::StorePath& reference : path.info.references) want(reference);
      found.size += path.info.nar_size;
      found.lazy.push_back(std::move(path));
    }
    if (found.size > asked.limits.disk) throw Unsuitable{"its closure is larger than is allowed"};
  }
  nix::StorePathSet with_beside = found.present;
  with_beside.insert(asked.beside.begin(), asked.beside.end());
  if (found.is_published) {
    std::vector<nix::StorePath> strange;
    for (const StartProfile::Path& path : found.profile->paths)
      if (!seen.contains(path.path)) strange.push_back(path.path);
    mount.forget_found(strange);
  }
  found.valid = store.closure(found.present);
  found.valid_with_beside = store.closure(with_beside);
  found.size += store.closure_size(found.valid);
  return found;
}

LazyStarts::Started LazyStarts::start(const Asked& asked) {
  const auto turn = [&] {
    const StartLog::Start::WaitsForSame waits;
    const Sha256Digest key =
        sha256(fmt::format("{} {} {}", asked.system, asked.mode, asked.lock.to_compact_string()));
    return under_way_.begin({key, Lane::start}, asked.gone);
  }();
  // Its temporary roots keep the collector off until the leases are there.
  store::LocalStore store(environments_.store().root(), environments_.store().lock_timeout());
  std::optional<Use> use;
  const auto or_otherwise = [&](const auto& step) {
    try {
      step();
    } catch (const Error& error) {
      if (use) use->mount().forget_found();
      throw Unsuitable{error.what()};
    } catch (const Unsuitable&) {
      if (use) use->mount().forget_found();
      throw;
    }
  };
  std::optional<StageTimer> timer;
  timer.emplace(metrics_, Stage::lazy);
  Found found;
  or_otherwise([&] {
    use.emplace(*this);
    found = find(use->mount(), asked, store);
    if (found.lazy.empty()) throw Unsuitable{};
  });
  if (asked.check) {
    nix::StorePathSet closure = found.valid;
    for (const nix::StorePath& path : found.names()) closure.insert(path);
    asked.check(closure, found.size);
  }
  or_otherwise([&] {
    std::vector<LazyPath*> paths;
    for (LazyPath& path : found.lazy) paths.push_back(&path);
    use->mount().add(paths);
  });
  fetch_ahead(use->mount(), found);
  timer.reset();
  try {
    Started started = show(name_of(use->mount(), found, asked), use->mount(), found, asked);
    started.begin = found.begin();
    metrics_.lazy_profile(!found.is_ahead      ? LazyProfile::none
                          : found.is_published ? LazyProfile::published
                                               : LazyProfile::own,
                          found.ahead);
    if (!found.present.empty()) store::add_lease(store, asked.holder, found.present);
    log::info("{} starts with {} of {} not fetched yet, in {}{}", asked.holder,
              count_text(found.lazy.size(), "path"), found.lazy.size() + found.valid.size(),
              size_text(found.size),
              !found.is_ahead      ? ""
              : found.is_published ? "; what its published start profile names is fetched ahead"
                                   : "; what an earlier start read is fetched ahead");
    return started;
  } catch (...) {  // nobody may need them
    const std::vector<nix::StorePath> names = found.names();
    const std::scoped_lock lock(mutex_);
    not_dropped_[use->mount().name()].insert(names.begin(), names.end());
    throw;
  }
}

// What the last start has read. Without it this one reads the same, and waits for each part.
void LazyStarts::fetch_ahead(const LazyMount& mount, Found& found) {
  if (!found.profile) return;
  try {
    uint64_t bytes = 0;
    for (const StartProfile::Path& path : found.profile->for_closure(found.names()).paths) {
      mount.control().want_soon(path.path, path.ranges);
      for (const store::FileRange& range : path.ranges) bytes += range.end - range.begin;
    }
    found.ahead = bytes;
    found.is_ahead = bytes > 0;
  } catch (const std::exception& error) {
    log::warning("fetching what the last start of the same environment has read: {}", message_of(error));
  }
}

// What was read of its paths until now.
void LazyStarts::remember(const Record& record) {
  const auto mount = mounts_.find(record.mount);
  if (mount == nullptr) return;
  try {
    StartProfile profile;
    for (const nix::StorePath& path : record.paths)
      profile.paths.push_back({path, mount->control().wanted(path)});
    const env::Lockfile lock = env::Lockfile::parse(record.lock, "the view's lock");
    profiles_.keep(packages_of(lock, record.system), std::move(profile));
  } catch (const std::exception& error) {
    log::warning("keeping what a start has read: {}", message_of(error));
  }
}

// The same closure in the same mount, beside the same, has the same view.
std::string LazyStarts::name_of(const LazyMount& mount, const Found& found, const Asked& asked) {
  std::string text =
      fmt::format("{} {} {} {}\n", mount.name(), asked.system, asked.mode, asked.lock.to_compact_string());
  for (const LazyPath& path : found.lazy)
    text += fmt::format("{} {}\n", path.slot, path.info.path.base_name());
  for (const nix::StorePath& path : found.valid_with_beside) text += fmt::format("{}\n", path.base_name());
  return std::string(view_prefix) + nix::to_base32(bytes_of(sha256(text)).substr(0, nix::digest_bytes));
}

LazyStarts::Started LazyStarts::show(const std::string& name, LazyMount& mount, Found& found,
                                     const Asked& asked) {
  // A container that comes again after it could not read something.
  if (const auto failures = mount.control().retry(found.names(), retry_time); !failures.empty())
    throw Error(ErrorKind::unavailable,
                fmt::format("a part of {} could not be read, and cannot be had now either: {}",
                            failures[0].path.to_string(), failures[0].why),
                "Its files come when they are read (flox.dev/lazy). See whether the binary cache can be "
                "reached from this node.");
  const auto files_of = [&](const nix::StorePath& profile) {
    return views_.directory_of(name) / "meta/view" / profile.base_name();
  };
  if (auto view = views_.find(name)) {
    const std::scoped_lock lock(mutex_);
    if (const auto record = records_.find(name); record != records_.end()) {
      nix::PathInfo profile{.path = nix::StorePath::parse(record->second.profile)};
      profile.nar_hash = record->second.hash;
      return {.profile = profile,
              .files = files_of(profile.path),
              .view = std::move(*view),
              .progress = record->second.progress};
    }
  }
  views_.give_up(name);  // what an earlier floxd has left
  std::vector<StoreViews::Entry> entries;
  LazyClosure closure{
      .infos = {}, .view = {}, .layers = {environments_.store().store_directory(), mount.place()}};
  for (const LazyPath& path : found.lazy) {
    entries.push_back(entry_of(path));
    closure.infos.push_back(path.info);
  }
  for (const nix::StorePath& path : found.valid_with_beside)
    entries.push_back(StoreViews::entry_of(environments_.store().real_path(path)));
  for (const nix::StorePath& path : found.valid)
    if (auto info = environments_.store().query(path)) closure.infos.push_back(std::move(*info));
  try {
    closure.view = views_.begin(name, entries);
    const nix::PathInfo profile = [&] {
      const StageTimer timer(metrics_, Stage::profile);
      return build_lazy_profile(run_ / ("build-" + name), closure, asked.lock, asked.system, asked.mode);
    }();
    Record record{.mount = mount.name(),
                  .lock = asked.lock.to_compact_string(),
                  .system = asked.system,
                  .mode = asked.mode,
                  .profile = profile.path.to_string(),
                  .tenant = asked.tenant,
                  .paths = found.names(),
                  .hash = profile.nar_hash,
                  .quiet = found.is_ahead ? quiet_ahead : quiet};
    const StageTimer timer(metrics_, Stage::view);
    nix::StorePathSet present = found.present;
    present.insert(asked.beside.begin(), asked.beside.end());
    write(name, record);
    StoreViews::View view = views_.show_made(name, closure.layers, present);
    const std::shared_ptr<const LazyProgress> progress = record.progress;
    {
      const std::scoped_lock lock(mutex_);
      records_.insert_or_assign(name, std::move(record));
    }
    changed_.notify_all();
    return {
        .profile = profile, .files = files_of(profile.path), .view = std::move(view), .progress = progress};
  } catch (...) {
    views_.give_up(name);
    throw;
  }
}

void LazyStarts::write(const std::string& name, const Record& record) const {
  json paths = json::array();
  for (const nix::StorePath& path : record.paths) paths.push_back(path.base_name());
  const json text = {
      {"mount", record.mount},   {"lock", record.lock},       {"system", record.system},
      {"mode", record.mode},     {"profile", record.profile}, {"hash", nix::hash_text(record.hash)},
      {"tenant", record.tenant}, {"paths", std::move(paths)}, {"whole", record.whole}};
  write_file(views_.directory_of(name) / record_name, text.dump(), 0600);
}

// Of views that an earlier floxd has made, and that are there.
void LazyStarts::read_records() {
  for (const auto& entry : fs::directory_iterator(views_.directory_of("."))) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(view_prefix) || !views_.has(name)) continue;
    try {
      const json text = parse_json(read_file(entry.path() / record_name), record_name, record_limits);
      const auto of = [&](const char* key) { return string_member(text, key, record_name); };
      Record record{.mount = of("mount"),
                    .lock = of("lock"),
                    .system = of("system"),
                    .mode = of("mode"),
                    .profile = of("profile"),
                    .tenant = of("tenant"),
                    .paths = {},
                    .hash = nix::parse_hash(of("hash")),
                    .whole = member(text, "whole", record_name) == true,
                    .quiet = quiet};
      for (const json& path : member(text, "paths", record_name))
        record.paths.push_back(nix::StorePath::from_base_name(path.get<std::string>()));
      records_.emplace(name, std::move(record));
    } catch (const std::exception& error) {
      log::warning("the view {}: {}", name, message_of(error));
    }
  }
}

bool LazyStarts::has(const std::string& view) const {
  const std::scoped_lock lock(mutex_);
  return records_.contains(view);
}

std::string LazyStarts::why_unread(const std::string& view) {
  std::vector<nix::StorePath> paths;
  std::string mount_name;
  {
    const std::scoped_lock lock(mutex_);
    const auto record = records_.find(view);
    if (record == records_.end() || record->second.whole) return {};
    paths = record->second.paths;
    mount_name = record->second.mount;
  }
  const auto mount = mounts_.find(mount_name);
  if (mount == nullptr) return fmt::format("the keeper of the mount {} has died", mount_name);
  std::string text;
  try {
    for (const lazy::PathFailure& failure : mount->unread(paths))
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", failure.path.to_string(), failure.why);
  } catch (const Error& error) {
    log::debug("asking the mount {} what could not be read: {}", mount_name, error.what());
  }
  return printable(text, most_unread);
}

// Looks which closures are to be completed now.
void LazyStarts::run() {
  std::unique_lock lock(mutex_);
  const auto is_waiting = [](const auto& entry) { return !entry.second.whole && !entry.second.queued; };
  while (!stop_) {
    if (std::ranges::any_of(records_, is_waiting))
      changed_.wait_for(lock, look_pause, [&] { return stop_; });
    else
      changed_.wait(lock);
    std::vector<std::string> due;
    for (const auto& entry : records_)
      if (is_waiting(entry) && entry.second.due <= Clock::now()) due.push_back(entry.first);
    if (stop_) return;
    lock.unlock();
    for (const std::string& name : due) try {
        look(name);
      } catch (const std::exception& error) {
        log::warning("completing the closure of view {}: {}", name, message_of(error));
        const std::scoped_lock relock(mutex_);
        if (const auto record = records_.find(name); record != records_.end())
          record->second.due = Clock::now() + record->second.pause;
      }
    lock.lock();
  }
}

void LazyStarts::look(const std::string& name) {
  std::vector<nix::StorePath> paths;
  std::string mount_name, tenant;
  {
    const std::scoped_lock lock(mutex_);
    const auto record = records_.find(name);
    if (record == records_.end()) return;
    paths = record->second.paths;
    mount_name = record->second.mount;
    tenant = record->second.tenant;
  }
  lazy::PathsStatus status;
  if (const auto mount = mounts_.find(mount_name)) status = mount->control().status(paths);
  const bool is_busy = status.frames_now + status.frames_later > 0;
  Record begun;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = records_.find(name);
    if (found == records_.end()) return;
    Record& record = found->second;
    if (is_busy || status.waited != record.waited) record.quiet_since = Clock::now();
    record.waited = status.waited;
    const bool is_quiet = !is_busy && Clock::now() - record.quiet_since >= record.quiet;
    if (!is_quiet && Clock::now() - record.begun < longest_wait) return;
    record.queued = true;
    note_ready(record, status, is_quiet);
    begun = record;
  }
  remember(begun);
  queue_[Lane::prefetch].post(tenant, [this, name] { complete(name); });
}

// At the first attempt to complete it.
void LazyStarts::note_ready(const Record& record, const lazy::PathsStatus& status, bool is_quiet) {
  record.progress->change([&](LazyProgress::Figures& figures) {
    if (figures.bytes != 0) return;
    figures.bytes = status.bytes;
    figures.reads_waited = status.waited;
    figures.waited_micros = status.waited_micros;
    if (!is_quiet) return;
    figures.bytes_at_ready = status.here;
    figures.ready_at =
        LazyProgress::Figures::Clock::now() -
        std::chrono::duration_cast<LazyProgress::Figures::Clock::duration>(Clock::now() - record.quiet_since);
    metrics_.lazy_ready(std::chrono::duration<double>(record.quiet_since - record.begun).count());
  });
}

void LazyStarts::complete(const std::string& name) {
  Record record;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = records_.find(name);
    if (found == records_.end()) return;
    record = found->second;
  }
  const std::shared_ptr<LazyMount> mount = mounts_.find(record.mount);
  try {
    const nix::StorePath profile = environments_.realise(
        env::Lockfile::parse(record.lock, "the view's lock"), record.system, record.mode,
        StoreViews::holder_of(name),
        {.lane = Lane::prefetch,
         .limits = {.time = completion_time},
         .check_closure = {},
         .gone = [this, name] { return !views_.has(name); },
         .unfinished =
             [mount, known = std::set<nix::StorePath>(record.paths.begin(), record.paths.end())](
                 const nix::StorePath& path) {
               return mount != nullptr && known.contains(path) ? mount->part_of(path) : fs::path();
             }});
    if (profile.to_string() != record.profile)
      log::error("the profile of view {} was {}, and is {}", name, record.profile, profile.to_string());
    lazy::PathsStatus status;
    if (mount != nullptr) {
      status = mount->control().status(record.paths);
      mount->control().use_store(record.paths, environments_.store().store_directory());
    }
    record.progress->change([&](LazyProgress::Figures& figures) {
      figures.reads_waited = std::max(figures.reads_waited, status.waited);
      figures.waited_micros = std::max(figures.waited_micros, status.waited_micros);
      figures.whole_at = LazyProgress::Figures::Clock::now();
    });
    metrics_.lazy_whole(std::chrono::duration<double>(Clock::now() - record.begun).count());
    remember(record);
    const std::scoped_lock lock(mutex_);
    if (const auto found = records_.find(name); found != records_.end()) {
      found->second.whole = true;
      found->second.queued = false;
      if (views_.has(name)) write(name, found->second);
    }
    log::info("the closure of view {} is whole: {} has come", name, count_text(record.paths.size(), "path"));
  } catch (const std::exception& error) {
    const std::scoped_lock lock(mutex_);
    const auto found = records_.find(name);
    if (found == records_.end()) return;
    found->second.queued = false;
    found->second.due = Clock::now() + found->second.pause;
    log::warning("completing the closure of view {}: {}; the next attempt is made in {}", name,
                 message_of(error), duration_text(found->second.pause));
    found->second.pause = std::min(2 * found->second.pause, longest_attempt_pause);
    changed_.notify_all();
  }
}

// Of processes that count from zero whenever one begins.
void LazyStarts::count_waits() {
  std::map<std::string, std::optional<lazy::MountWaits>> counted;
  for (const auto& mount : mounts_.all()) try {
      const auto known = waits_.find(mount->name());
      const std::optional<lazy::MountWaits> before =
          known == waits_.end() ? lazy::MountWaits() : known->second;
      counted[mount->name()] = before;
      if (!mount->is_alive()) continue;
      const lazy::MountWaits now = mount->control().waits();
      if (before) metrics_.lazy_waits(waits_since(now, *before));
      counted[mount->name()] = now;
    } catch (const Error& error) {
      log::debug("asking the mount {} how long its readers waited: {}", mount->name(), error.what());
    }
  waits_ = std::move(counted);
}

void LazyStarts::sweep() {
  tell_failures();
  count_waits();
  std::map<std::string, std::vector<nix::StorePath>> drops;
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(records_, [&](const auto& entry) {
      if (views_.has(entry.first)) return false;
      not_dropped_[entry.second.mount].insert(entry.second.paths.begin(), entry.second.paths.end());
      return true;
    });
    for (auto& [mount, paths] : not_dropped_) {
      if (in_use_.contains(mount)) continue;  // a container that starts may have found them
      for (const auto& [name, record] : records_)
        if (record.mount == mount)
          for (const nix::StorePath& path : record.paths) paths.erase(path);
      // Under the mutex: nobody finds them until they are dropped.
      try {
        if (const auto found = mounts_.find(mount); found != nullptr && !paths.empty())
          found->drop({paths.begin(), paths.end()});
        paths.clear();
      } catch (const Error& error) {  // the next sweep tries again
        log::warning("the mount {}: {}", mount, error.what());
      }
    }
    std::erase_if(not_dropped_, [](const auto& entry) { return entry.second.empty(); });
    std::set<std::string> used;
    for (const auto& [name, record] : records_) used.insert(record.mount);
    for (const auto& [name, count] : in_use_) used.insert(name);
    mounts_.sweep(used);
  }
  const Status now = status();
  metrics_.lazy_mounts(now.mounts, now.unfinished, now.paths.bytes, now.paths.here, now.paths.waited,
                       static_cast<double>(now.paths.waited_micros) / 1e6, now.paths.failed);
}

// What readers get errors for is tried again, and told.
void LazyStarts::tell_failures() {
  std::map<std::string, Record> all;
  {
    const std::scoped_lock lock(mutex_);
    all = records_;
  }
  for (const auto& [name, record] : all) {
    if (record.whole) continue;
    const auto mount = mounts_.find(record.mount);
    if (mount == nullptr) {
      const std::string why = fmt::format("the keeper of the mount {} has died", record.mount);
      record.progress->failed({.path = {}, .why = why, .at = LazyProgress::Figures::Clock::now()});
      tell(name, why);
      continue;
    }
    std::string what;
    try {
      for (const lazy::PathFailure& failure : mount->control().retry(record.paths, milliseconds(0))) {
        what += fmt::format("{}{}: {}", what.empty() ? "" : "; ", failure.path.to_string(), failure.why);
        // What was fetched ahead in vain is nobody's error yet.
        if (!failure.reads || *failure.reads > 0)
          record.progress->failed({.path = failure.path.to_string(),
                                   .why = printable(failure.why, most_why),
                                   .at = LazyProgress::Figures::Clock::now(),
                                   .reads = failure.reads.value_or(0)});
      }
    } catch (const Error& error) {
      what = error.what();
    }
    tell(name, what);
  }
}

// Once, and not every few seconds.
void LazyStarts::tell(const std::string& name, const std::string& what) {
  {
    const std::scoped_lock lock(mutex_);
    const auto record = records_.find(name);
    if (record == records_.end() || record->second.told == what) return;
    record->second.told = what;
  }
  if (!what.empty())
    log::error("containers that see the store by the view {} get errors when they read: {}", name, what);
}

LazyStarts::Status LazyStarts::status() {
  Status status;
  {
    const std::scoped_lock lock(mutex_);
    status.views = records_.size();
    status.unfinished = static_cast<uint64_t>(
        std::ranges::count_if(records_, [](const auto& one) { return !one.second.whole; }));
  }
  for (const auto& mount : mounts_.all()) {
    if (!mount->is_alive()) continue;
    ++status.mounts;
    try {
      status.paths += mount->control().status({});
    } catch (const Error& error) {
      log::warning("asking the mount {}: {}", mount->name(), error.what());
    }
  }
  return status;
}

}  // namespace flox::node
