#include "node/floxd/prefetcher.h"

#include <algorithm>
#include <ctime>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "catalog/environment_name.h"
#include "node/floxd/store_disk.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

using State = PrefetchRecord::State;

constexpr size_t most_names = 1'000;       // of one request
constexpr size_t longest_reference = 512;  // bytes
constexpr size_t most_entries = 20'000;    // of the node
constexpr int64_t shown_failed = 3600;     // seconds for which a failure can be looked at
constexpr int64_t first_pause = 5;         // seconds before the second attempt; then twice as long each time
constexpr int64_t longest_pause = 300;

int64_t unix_now() { return std::time(nullptr); }

bool is_done(State state) { return state != State::waiting && state != State::fetching; }

// Whether the name always means the same.
bool is_fixed(const std::string& reference) {
  if (reference.starts_with('/')) return true;
  return catalog::is_environment_name(reference) &&
         catalog::parse_environment_name(reference).generation.has_value();
}

policy::Asked asked_reference(const std::string& reference) {
  if (reference.size() > longest_reference)
    fail(ErrorKind::invalid_input, "a name of more than {} bytes", longest_reference);
  return in_context(fmt::format("environment '{}'", printable(reference, 100)),
                    [&] { return policy::asked_for(reference); });
}

// It waits for its first attempt, whatever it was before.
void begin(PrefetchRecord& record, int64_t now, int64_t deadline) {
  record.state = State::waiting;
  record.asked_at = now;
  record.deadline = deadline;
  record.retry_at = 0;
  record.attempts = 0;
  record.reason.clear();
  record.advice.clear();
}

std::string whose(const std::string& tenant) {
  return tenant.empty() ? std::string("this node") : fmt::format("namespace '{}'", name_of_tenant(tenant));
}

// Of one request.
void check_count(const std::vector<std::string>& environments) {
  if (environments.size() > most_names)
    throw Error(ErrorKind::invalid_input,
                fmt::format("{} environments are named, and one request may name {}", environments.size(),
                            most_names),
                "Ask for some of them, and for the others when those are there.");
}

}  // namespace

Prefetcher::Prefetcher(const Config& config, Environments& environments, const Containers& containers,
                       KeptPods& kept, PodPolicy& policy, FairThreads& lane, Metrics& metrics,
                       Realise realise)
    : config_(config),
      environments_(environments),
      containers_(containers),
      kept_(kept),
      policy_(policy),
      lane_(lane),
      metrics_(metrics),
      realise_(realise ? std::move(realise)
                       : [&environments](const env::Lockfile& lock, const std::string& holder,
                                         const Environments::Terms& terms) {
                           return environments.realise(lock, env::current_system(), "run", holder, terms);
                         }),
      records_(prefetch_directory(config.root)),
      disk_([this](const std::string& key, const PrefetchDisk::Change& change) { apply(key, change); }) {
  {
    const std::scoped_lock lock(mutex_);
    load();
  }
  set_list(config.prefetch);
}

void Prefetcher::load() {
  const auto containers = containers_.all();
  for (auto& [key, record] : records_.load()) {
    Entry& entry = entries_[key];
    entry.id = ++last_id_;
    ++by_environment_[record.environment];
    ++by_tenant_[record.tenant];
    entry.record = std::move(record);
    for (const std::string& asker : entry.record.askers)
      if (const auto found = containers.find(asker); found != containers.end())
        entry.asking.emplace(asker, found->second);
    if (entry.record.state == State::fetching) entry.record.state = State::waiting;
  }
  std::set<std::string> leased;
  for (const auto& lease : store::list_leases(environments_.store()))
    if (lease.holder.starts_with(prefetch_holder_prefix)) leased.insert(lease.holder);
  const int64_t now = unix_now();
  for (auto& [key, entry] : entries_) {
    if (leased.erase(entry.record.holder()) > 0 || entry.record.state != State::present) continue;
    // What an earlier floxd wrote down last, before it could write no more.
    begin(entry.record, now, now + config_.prefetch_time.count());
    write(entry);
  }
  for (const std::string& holder : leased) store::release_lease(environments_.store(), holder);
}

std::vector<Prefetcher::Status> Prefetcher::add(const Container* asking,
                                                const std::vector<std::string>& environments,
                                                std::chrono::seconds time) {
  if (environments.empty()) flox::fail(ErrorKind::invalid_input, "no environment is named");
  check_count(environments);
  if (time > config_.prefetch_time || time.count() < 0)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("a deadline of {}: this node allows {} (prefetch_time)", exact_duration_text(time),
                    exact_duration_text(config_.prefetch_time)),
        "Ask for a shorter time. What has come by then stays, and the next request goes on from there.");
  std::vector<policy::Asked> wanted;
  for (const std::string& name : environments) wanted.push_back(asked_reference(name));
  std::string tenant, asker = node_asker;
  if (asking != nullptr) {
    PodRequest asked(policy_, *asking, "prefetch");
    try {
      asked.require_prefetch(wanted);
      asked.allowed();
    } catch (const std::exception& error) {
      asked.failed(error);
      if (asked.denied()) metrics_.refused(Budget::policy);
      throw;
    }
    tenant = tenant_of(*asking);
    asker = asking->id;
  }
  std::vector<std::string> keys;
  for (const std::string& name : environments) keys.push_back(PrefetchRecord::key_of(tenant, name));
  std::vector<Status> answer;
  {
    const std::scoped_lock lock(mutex_);
    make_room(tenant, {keys.begin(), keys.end()});
    const auto allowed = time.count() == 0 ? config_.prefetch_time : time;
    for (const std::string& name : environments) {
      Entry& entry = ask_for(tenant, name, asker, unix_now() + allowed.count());
      if (asking != nullptr) entry.asking.insert_or_assign(asker, *asking);
      queue(entry);
    }
    for (const std::string& key : keys) {
      const Entry& entry = entries_.at(key);
      answer.push_back({entry.record, entry.progress});
    }
  }
  disk_.wait_for(keys);  // who asks for much waits for its own
  return answer;
}

// Of a tenant's that is full those go first that have ended the longest time ago.
void Prefetcher::make_room(const std::string& tenant, const std::set<std::string>& keys) {
  const auto fresh = static_cast<size_t>(
      std::ranges::count_if(keys, [&](const std::string& key) { return !entries_.contains(key); }));
  const size_t limit = tenant.empty() ? most_entries : config_.namespace_prefetches;
  const auto counted = by_tenant_.find(tenant);
  const size_t has = counted == by_tenant_.end() ? 0 : counted->second;
  const auto over = [&](size_t count, size_t most) {
    return count + fresh > most ? count + fresh - most : 0;
  };
  const size_t too_many = std::max(over(has, limit), over(entries_.size(), most_entries));
  if (too_many == 0) return;
  std::vector<Entries::iterator> idle;
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (const PrefetchRecord& record = it->second.record;
        record.tenant == tenant && !keys.contains(it->first) &&
        (record.state == State::used || record.state == State::failed))
      idle.push_back(it);
  if (idle.size() < too_many)
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} has {} prefetched or on their way, and may have {}{}", whose(tenant),
                    count_text(has, "environment"), limit, tenant.empty() ? "" : " (namespace_prefetches)"),
        "Cancel some (flox node prefetch --cancel), or wait until pods use them.");
  std::ranges::sort(idle, {}, [](const auto& it) { return it->second.record.ended_at; });
  idle.resize(too_many);
  for (const auto& it : idle) forget(it);
}

Prefetcher::Entry& Prefetcher::ask_for(const std::string& tenant, const std::string& environment,
                                       const std::string& asker, int64_t deadline) {
  constexpr size_t most_askers = 64;
  const auto [found, is_new] = entries_.try_emplace(PrefetchRecord::key_of(tenant, environment));
  Entry& entry = found->second;
  PrefetchRecord& record = entry.record;
  if (is_new) {
    entry.id = ++last_id_;
    record.tenant = tenant;
    record.environment = environment;
    ++by_environment_[environment];
    ++by_tenant_[tenant];
  }
  forget_gone(entry);
  if (record.askers.size() < most_askers) record.askers.insert(asker);
  const int64_t now = unix_now();
  if (!is_new && !is_done(record.state)) {
    record.deadline = std::max(record.deadline, deadline);
  } else if (record.state == State::present && is_fixed(environment)) {
    if (record.kept_until != 0) record.kept_until = now + config_.prefetch_keep.count();
  } else {
    begin(record, now, deadline);
  }
  write(entry);
  return entry;
}

void Prefetcher::queue(Entry& entry) {
  if (entry.record.state != State::waiting || entry.queued || running_.contains(entry.record.key())) return;
  entry.queued = true;
  lane_.post(entry.record.tenant, [this, key = entry.record.key()] { run(key); });
}

void Prefetcher::apply(const std::string& key, const PrefetchDisk::Change& change) {
  try {
    if (change.written) records_.write(*change.written);
    if (!change.removed.empty()) records_.remove(key);
  } catch (const std::exception& error) {  // a restarted floxd does not know of it; this one does
    log::warning("writing down what is prefetched: {}", message_of(error));
  }
  try {
    // After the record: a restarted floxd ends what no record has.
    for (const std::string& holder : change.ended) store::release_lease(environments_.store(), holder);
    if (change.removed.empty()) return;
    const bool is_last = [&] {
      const std::scoped_lock lock(mutex_);
      return !by_environment_.contains(change.removed);
    }();
    if (is_last) kept_.forget(prefetched_answers(change.removed).key());
  } catch (const std::exception& error) {
    log::warning("ending what was prefetched: {}", message_of(error));
  }
}

void Prefetcher::fail(Entry& entry, std::string reason, std::string advice) {
  PrefetchRecord& record = entry.record;
  record.state = State::failed;
  record.ended_at = unix_now();
  record.reason = printable(reason, 2'000);
  record.advice = printable(advice, 500);
  metrics_.prefetched(PrefetchEnd::failed);
  log::warning("prefetching {} for {}: {}", printable(record.environment), whose(record.tenant),
               record.reason);
  write(entry);
}

void Prefetcher::forget(Entries::iterator entry) {
  const PrefetchRecord& record = entry->second.record;
  const auto count_down = [](std::map<std::string, size_t>& counts, const std::string& name) {
    if (const auto found = counts.find(name); found != counts.end() && --found->second == 0)
      counts.erase(found);
  };
  count_down(by_environment_, record.environment);
  count_down(by_tenant_, record.tenant);
  disk_.remove(record);
  entries_.erase(entry);
}

void Prefetcher::forget_gone(Entry& entry) const {
  std::erase_if(entry.asking, [&](const auto& each) { return !containers_.is_current(each.second); });
  std::erase_if(entry.record.askers, [&](const std::string& asker) {
    return asker != node_asker && asker != list_asker && !entry.asking.contains(asker);
  });
}

template <typename Map>
auto Prefetcher::find(Map& entries, const Container* asking, const std::vector<std::string>& environments) {
  std::vector<decltype(entries.begin())> found;
  const auto sees = [&](const Entry& entry) {
    return asking == nullptr || entry.record.tenant == tenant_of(*asking);
  };
  if (environments.empty()) {
    for (auto it = entries.begin(); it != entries.end(); ++it)
      if (sees(it->second)) found.push_back(it);
    std::ranges::stable_sort(found, {}, [](const auto& it) {
      return std::tie(it->second.record.asked_at, it->second.record.environment);
    });
    return found;
  }
  check_count(environments);
  for (const std::string& name : std::set(environments.begin(), environments.end())) {
    const size_t before = found.size();
    // The operator names what others have asked for, too.
    for (auto it = entries.begin(); it != entries.end(); ++it)
      if (it->second.record.environment == name && sees(it->second)) found.push_back(it);
    if (found.size() == before)
      throw Error(ErrorKind::not_found,
                  fmt::format("'{}' was not asked to be prefetched", printable(name, 100)),
                  "Run flox node prefetch without names: it shows all that was.");
  }
  return found;
}

std::vector<Prefetcher::Status> Prefetcher::show(const Container* asking,
                                                 const std::vector<std::string>& environments) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Status> answer;
  for (const auto& it : find(entries_, asking, environments))
    answer.push_back({it->second.record, it->second.progress});
  return answer;
}

std::vector<Prefetcher::Status> Prefetcher::cancel(const Container* asking,
                                                   const std::vector<std::string>& environments) {
  if (environments.empty()) flox::fail(ErrorKind::invalid_input, "no environment is named");
  std::vector<Status> answer;
  std::vector<std::string> keys;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& it : find(entries_, asking, environments)) {
      answer.push_back({it->second.record, it->second.progress});
      keys.push_back(it->first);
      if (it->second.record.askers.contains(list_asker)) {
        // What is configured stays so.
        it->second.record.askers = {list_asker};
        it->second.asking.clear();
        continue;
      }
      metrics_.prefetched(PrefetchEnd::cancelled);
      forget(it);
    }
  }
  disk_.wait_for(keys);
  return answer;
}

void Prefetcher::set_list(const std::vector<std::string>& environments) {
  std::set<std::string> listed;
  for (const std::string& name : environments) try {
      asked_reference(name);
      listed.insert(name);
    } catch (const Error& error) {
      log::warning("setting prefetch: {}", error.what());
    }
  const std::scoped_lock lock(mutex_);
  for (auto& [key, entry] : entries_)
    if (entry.record.tenant.empty() && !listed.contains(entry.record.environment) &&
        entry.record.askers.erase(list_asker) > 0) {
      if (entry.record.state == State::present)
        entry.record.kept_until = unix_now() + config_.prefetch_keep.count();
      write(entry);
    }
  for (const std::string& name : listed) {
    Entry& entry = ask_for("", name, list_asker, unix_now() + config_.prefetch_time.count());
    if (entry.record.state == State::present && entry.record.kept_until != 0) {
      entry.record.kept_until = 0;
      write(entry);
    }
    queue(entry);
  }
}

void Prefetcher::used(const nix::StorePath& profile) {
  const std::string path = profile.to_string();
  const std::scoped_lock lock(mutex_);
  for (auto& [key, entry] : entries_) {
    PrefetchRecord& record = entry.record;
    if (record.state != State::present || record.profile != path || record.askers.contains(list_asker))
      continue;
    record.state = State::used;
    record.ended_at = unix_now();
    disk_.end_lease(key, record.holder());
    metrics_.prefetched(PrefetchEnd::used);
    write(entry);
  }
}

bool Prefetcher::give_way() {
  std::vector<std::string> keys;
  {
    const std::scoped_lock lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      const auto here = it++;
      if (here->second.record.state != State::present || here->second.record.askers.contains(list_asker))
        continue;
      log::warning("the disk is full: what was prefetched of {} may be collected",
                   printable(here->second.record.environment));
      metrics_.prefetched(PrefetchEnd::expired);
      keys.push_back(here->first);
      forget(here);
    }
  }
  disk_.wait_for(keys);  // the collector goes on at once
  return !keys.empty();
}

// Whether the entry is to be forgotten.
bool Prefetcher::tidy(Entry& entry, int64_t now) {
  PrefetchRecord& record = entry.record;
  forget_gone(entry);
  const bool is_listed = record.askers.contains(list_asker);
  if (!is_done(record.state)) {
    if (!wanted(entry)) {
      metrics_.prefetched(PrefetchEnd::cancelled);
      log::info("prefetching {} for {}: the pods that asked for it have gone", printable(record.environment),
                whose(record.tenant));
      return true;
    }
    if (entry.running) return false;
    if (record.deadline != 0 && now > record.deadline)
      fail(entry,
           record.reason.empty() ? "it had no turn before its deadline"
                                 : fmt::format("it did not come before its deadline: {}", record.reason),
           "Ask again: what has come stays, and the next request goes on from there.");
    else if (now >= record.retry_at)
      queue(entry);
    return false;
  }
  if (is_listed) {
    if (now - record.ended_at < config_.prefetch_refresh.count()) return false;
    if (record.state == State::present && is_fixed(record.environment)) return false;
    begin(record, now, now + config_.prefetch_time.count());
    queue(entry);
    return false;
  }
  if (record.state == State::present) {
    if (record.kept_until == 0 || now <= record.kept_until) return false;
    log::info("what was prefetched of {} for {} was not used in {}", printable(record.environment),
              whose(record.tenant), duration_text(config_.prefetch_keep));
    metrics_.prefetched(PrefetchEnd::expired);
    return true;
  }
  return now - record.ended_at > (record.state == State::used ? config_.prefetch_keep.count() : shown_failed);
}

void Prefetcher::tidy() {
  const int64_t now = unix_now();
  const std::scoped_lock lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto here = it++;
    if (tidy(here->second, now)) forget(here);
  }
}

std::map<State, size_t> Prefetcher::counts() const {
  std::map<State, size_t> counts;
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, entry] : entries_) ++counts[entry.record.state];
  return counts;
}

void Prefetcher::run(const std::string& key) {
  Run run{.key = key, .id = 0, .record = {}, .container = {}};
  {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;  // cancelled
    Entry& entry = found->second;
    entry.queued = false;
    forget_gone(entry);
    // While one that was cancelled has not ended: its end queues this one.
    if (entry.record.state != State::waiting || running_.contains(key) || !wanted(entry)) return;
    if (!entry.asking.empty()) run.container = entry.asking.begin()->second;
    running_.insert(key);
    entry.running = true;
    entry.progress = {};
    entry.record.state = State::fetching;
    write(entry);
    run.id = entry.id;
    run.record = entry.record;
  }
  disk_.wait_for({key});  // the end of an earlier lease does not take the one that is taken now
  try {
    settle(run, fetch(run));
  } catch (const std::exception& error) {
    settle(run, to_error(error));
  }
}

nix::StorePath Prefetcher::fetch(const Run& run) {
  if (run.record.tenant.empty()) return fetch(run, nullptr);
  if (!run.container) flox::fail(ErrorKind::unavailable, "the pods that asked for it have gone");
  PodRequest asked(policy_, *run.container, "prefetch");
  try {
    nix::StorePath profile = fetch(run, &asked);
    asked.allowed(environments_.store(), profile);
    return profile;
  } catch (const std::exception& error) {
    asked.failed(error);
    if (asked.denied()) metrics_.refused(Budget::policy);
    throw;
  }
}

nix::StorePath Prefetcher::fetch(const Run& run, PodRequest* asked) {
  const PrefetchRecord& record = run.record;
  store::RealiseLimits limits = Environments::limits_of_container();
  limits.disk = room_for(record);
  const KeptPod reference = prefetched_answers(record.environment);
  kept_.expect(reference);
  const PodAnswers answers{.pods = kept_, .key = reference.key(), .first = PodAnswers::First::catalog};
  const NamedLock named = environments_.lock_of(record.environment, &answers);
  std::function<void(const store::LocalStore&, const nix::StorePathSet&)> policy_check;
  if (asked != nullptr) {
    policy::Asked wanted = policy::asked_for(record.environment);
    wanted.answered = true;
    wanted.provenance = policy::provenance_of(named.origin);
    if (named.generation) wanted.version = std::to_string(*named.generation);
    asked->require_prefetch({});
    asked->require_lock(wanted, named.lock, named.lock, {});
    limits = asked->limits(limits);
    policy_check = asked->closure_check();
  }
  const auto check = [&](const store::LocalStore& store, const nix::StorePathSet& closure) {
    if (policy_check) policy_check(store, closure);
    const uint64_t size = store.closure_size(closure);
    const std::scoped_lock lock(mutex_);
    if (Entry* const entry = find_run(run.key, run.id)) entry->record.closure_size = size;
  };
  const auto progress = [&](const store::RealiseProgress& now) {
    const std::scoped_lock lock(mutex_);
    if (Entry* const entry = find_run(run.key, run.id)) entry->progress = now;
  };
  const auto body = [&] {
    return realise_(named.lock, record.next_holder(),
                    {.lane = Lane::prefetch,
                     .limits = limits,
                     .check_closure = check,
                     .gone = [this, &run] { return is_to_end(run.key, run.id); },
                     .on_progress = progress});
  };
  return asked == nullptr ? body() : asked->within_limits(body);
}

uint64_t Prefetcher::room_for(const PrefetchRecord& record) const {
  const StoreDisk disk = disk_of(environments_.store());
  const uint64_t least = config_.prefetch_min_free.of(disk.total);
  if (disk.free <= least)
    throw Error(ErrorKind::conflict,
                fmt::format("{} of {} are free on the store's disk, and prefetching leaves {} free "
                            "(prefetch_min_free)",
                            size_text(disk.free), size_text(disk.total), size_text(least)),
                "Free some space on the node, or set prefetch_min_free lower.");
  uint64_t room = disk.free - least;
  const uint64_t limit = config_.namespace_prefetch_disk.bytes;
  if (record.tenant.empty() || limit == 0) return room;
  uint64_t taken = 0;
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, entry] : entries_)
    if (entry.record.tenant == record.tenant && entry.record.state == State::present)
      taken += entry.record.closure_size;
  if (taken >= limit)
    throw Error(ErrorKind::conflict,
                fmt::format("what is prefetched for {} takes {} already, and may take {} "
                            "(namespace_prefetch_disk)",
                            whose(record.tenant), size_text(taken), size_text(limit)),
                "Cancel some (flox node prefetch --cancel), or wait until pods use it.");
  return std::min(room, limit - taken);
}

Prefetcher::Entry* Prefetcher::find_run(const std::string& key, uint64_t id) {
  const auto found = entries_.find(key);
  return found == entries_.end() || found->second.id != id ? nullptr : &found->second;
}

Prefetcher::Entry* Prefetcher::end_run(const Run& run) {
  running_.erase(run.key);
  if (Entry* const entry = find_run(run.key, run.id)) {
    entry->running = false;
    return entry;
  }
  disk_.end_lease(run.key, run.record.next_holder());
  if (const auto next = entries_.find(run.key); next != entries_.end()) queue(next->second);
  return nullptr;
}

bool Prefetcher::is_to_end(const std::string& key, uint64_t id) {
  {
    // Who watches what is under way must not wait for a request that works on a thousand names.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    Entry* const entry = find_run(key, id);
    if (entry == nullptr) return true;
    forget_gone(*entry);
    const PrefetchRecord& record = entry->record;
    if (!wanted(*entry) || (record.deadline != 0 && unix_now() > record.deadline)) return true;
  }
  const StoreDisk disk = disk_of(environments_.store());
  return disk.free <= config_.prefetch_min_free.of(disk.total);
}

void Prefetcher::settle(const Run& run, const nix::StorePath& profile) {
  const std::scoped_lock lock(mutex_);
  Entry* const entry = end_run(run);
  if (entry == nullptr) return;
  PrefetchRecord& record = entry->record;
  const std::string before = record.holder();
  record.second_lease = !record.second_lease;
  record.state = State::present;
  record.profile = profile.to_string();
  record.ended_at = unix_now();
  record.kept_until =
      record.askers.contains(list_asker) ? 0 : record.ended_at + config_.prefetch_keep.count();
  record.reason.clear();
  record.advice.clear();
  write(*entry);
  disk_.end_lease(run.key, before);
  metrics_.prefetched(PrefetchEnd::present);
  log::info("prefetched {} for {}: {}", printable(record.environment), whose(record.tenant),
            profile.base_name());
}

void Prefetcher::settle(const Run& run, const Error& error) {
  const std::scoped_lock lock(mutex_);
  Entry* const entry = end_run(run);
  if (entry == nullptr) return;
  PrefetchRecord& record = entry->record;
  disk_.end_lease(run.key, record.next_holder());
  forget_gone(*entry);
  if (!wanted(*entry)) return forget(entries_.find(run.key));
  const int64_t now = unix_now();
  record.reason = printable(error.what(), 2'000);
  record.advice = printable(error.advice(), 500);
  if (record.deadline != 0 && now > record.deadline)
    return fail(*entry, fmt::format("it did not come before its deadline: {}", error.what()),
                "Ask again: what has come stays, and the next request goes on from there.");
  if (error.kind() != ErrorKind::unavailable) return fail(*entry, error.what(), error.advice());
  record.state = State::waiting;
  record.retry_at = now + std::min(longest_pause, first_pause << std::min(record.attempts, 10U));
  ++record.attempts;
  write(*entry);
}

}  // namespace flox::node
