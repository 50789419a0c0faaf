#include "store/peers/peer_group.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/http_pool.h"
#include "base/settings/address.h"
#include "nix/cache_layout.h"
#include "store/peers/peer_places.h"

namespace flox::store {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Between two questions to one peer: the shortest is longer with many, and where answers take long.
constexpr auto shortest_interval = milliseconds(50);
constexpr auto interval_of_each = milliseconds(5);
constexpr auto longest_interval = milliseconds(400);
constexpr auto longest_of_slow = std::chrono::seconds(2);
constexpr unsigned most_failures = 2;  // in a row

// Which peers have answered. Of its own, for the pool's thread tells it.
struct Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<size_t> answered;
  bool is_wanted = false;  // there is something to ask about
  bool stop = false;
};

// Every node takes the same ones of many: those with the lowest hash.
void take_most(std::vector<std::string>& addresses) {
  if (addresses.size() <= most_peers) return;
  std::ranges::sort(addresses, {}, [](const std::string& address) { return sha256(address); });
  addresses.resize(most_peers);
}

}  // namespace

struct PeerGroup::State {
  // What a peer is asked, and how that went.
  struct Asking {
    Clock::time_point due;
    milliseconds interval{0};
    std::shared_ptr<HttpTransfer> transfer;  // null: not asked now
    std::vector<std::string> names;
    Clock::time_point asked{};
    std::optional<Clock::time_point> first_asked;
    bool has_answered = false;
    unsigned failures = 0;
  };

  explicit State(PeerGroupOptions given)
      : options(std::move(given)), key(std::make_shared<const Secret>(options.key)) {
    pace->patience = options.patience.idle;
    pace->silence = options.patience.silent;
    pace->expect(options.cache_rate);
  }

  void run();
  void ask_until_stopped();
  void find();
  void ask_due(Clock::time_point now);
  void ask(size_t i);
  void read_answer(size_t peer);
  Clock::time_point next_due() const;
  bool is_found();
  bool wait_until_found();
  void give_up(size_t peer, const std::string& why);
  void note_failure(size_t peer, const std::string& why);
  milliseconds least_interval() const;

  const PeerGroupOptions options;
  const std::shared_ptr<const Secret> key;
  const std::shared_ptr<PeerPace> pace = std::make_shared<PeerPace>();
  const std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  // Of their own: a peer that hangs takes no connection of a cache's, and no question waits behind a NAR.
  std::unique_ptr<HttpPool> pool, question_pool;
  const Clock::time_point started = Clock::now();

  // Once found, for all threads.
  std::mutex mutex;
  std::condition_variable changed;
  bool found = false;
  std::vector<std::string> wanted;
  Clock::time_point wanted_at = Clock::now();
  std::vector<std::unique_ptr<PeerCache>> caches;
  std::unique_ptr<PeerShare> share;
  std::vector<PeerUse> use;
  std::map<std::string, size_t> narinfos;  // by digest: who gave it

  std::vector<Asking> asking;  // the thread's own
};

// Whatever happens here, the caches have it all.
void PeerGroup::State::run() {
  try {
    ask_until_stopped();
  } catch (const std::exception& exception) {
    log::warning("no peer is asked any more: {}", message_of(exception));
    if (!is_found()) return;
    for (size_t i = 0; i < caches.size(); ++i) share->give_up(i);
  }
}

void PeerGroup::State::ask_until_stopped() {
  find();
  std::unique_lock lock(inbox->mutex);
  while (!inbox->stop) {
    std::deque<size_t> answered;
    answered.swap(inbox->answered);
    lock.unlock();
    for (const size_t peer : answered) read_answer(peer);
    ask_due(Clock::now());
    lock.lock();
    inbox->changed.wait_until(lock, next_due(),
                              [&] { return inbox->stop || !inbox->answered.empty() || inbox->is_wanted; });
    if (std::exchange(inbox->is_wanted, false))
      for (Asking& one : asking) one.due = {};
  }
  lock.unlock();
  for (size_t i = 0; i < asking.size(); ++i) {
    asking[i].transfer.reset();
    const bool is_mute = !asking[i].has_answered && asking[i].first_asked &&
                         Clock::now() - *asking[i].first_asked > options.patience.first;
    if (is_mute) give_up(i, "it has answered nothing");
    if (share->is_slow(i)) note_failure(i, "it was too slow several times");
  }
}

void PeerGroup::State::find() {
  std::vector<std::string> addresses = addresses_of_peers(options.places, options.resolver);
  take_most(addresses);
  std::erase_if(addresses, [&](const std::string& address) {
    return std::ranges::find(options.shunned, address) != options.shunned.end();
  });
  const std::lock_guard lock(mutex);
  for (const std::string& address : addresses) try {
      caches.push_back(std::make_unique<PeerCache>(address, key, *pool, pace));
      use.push_back({.address = address});
    } catch (const Error& error) {
      log::warning("peer {} is not asked: {}", address, error.what());
    }
  share = std::make_unique<PeerShare>(options.self, caches.size(), options.patience, started,
                                      options.in_no_hurry);
  share->want(wanted, wanted_at);
  asking.resize(caches.size());
  found = true;
  changed.notify_all();
}

void PeerGroup::State::ask_due(Clock::time_point now) {
  for (size_t i = 0; i < asking.size(); ++i) {
    Asking& one = asking[i];
    if (one.transfer || one.due > now || share->is_given_up(i)) continue;
    one.names = share->question(i, now);
    // The first question may be asked before it is known what is missing: it finds out who the peer is.
    if (one.names.empty() && one.first_asked) {
      one.due = now + std::max(one.interval, least_interval());
      continue;
    }
    one.asked = now;
    if (!one.first_asked) one.first_asked = now;
    ask(i);
  }
}

// What is wrong with one is no reason to leave the others.
void PeerGroup::State::ask(size_t i) {
  Asking& one = asking[i];
  try {
    one.transfer = question_pool->start(
        caches[i]->question(write_peer_question(one.names)),
        {.buffer = 2 * largest_peer_answer, .retry = {.attempts = 1}, .on_done = [inbox = inbox, i] {
           const std::lock_guard lock(inbox->mutex);
           inbox->answered.push_back(i);
           inbox->changed.notify_one();
         }});
  } catch (const Error& error) {
    give_up(i, error.what());
  }
}

milliseconds PeerGroup::State::least_interval() const {
  return std::max(shortest_interval, static_cast<int>(asking.size()) * interval_of_each);
}

void PeerGroup::State::read_answer(size_t peer) {
  Asking& one = asking.at(peer);
  const auto transfer = std::exchange(one.transfer, nullptr);
  const auto now = Clock::now();
  try {
    const HttpResponse response = transfer->response();
    if (response.status == 401 || response.status == 403)
      return give_up(peer, fmt::format("it answers {}: its key or its clock is another", response.status));
    if (response.status == 503) {  // it lives, and is asked too much
      one.has_answered = true;
      one.interval = longest_interval;
      one.due = now + longest_interval;
      return;
    }
    if (!response.ok()) fail(ErrorKind::unavailable, "it answers {}", response.status);
    std::string text;
    for (std::string piece; transfer->read(piece);) text += piece;
    const bool is_news =
        share->answered(peer, one.names, read_peer_answer(text, one.names.size()), one.asked, now);
    one.failures = 0;
    one.has_answered = true;
    pace->patience = std::chrono::duration_cast<milliseconds>(share->stall_time());
    // What does not change is asked for less and less often.
    const milliseconds least = least_interval();
    one.interval = is_news ? least : std::min(std::max(longest_interval, least), one.interval * 3 / 2);
  } catch (const Error& error) {
    // One that answers late is passed over by whoever waits for it, and may be back.
    const bool is_late = error.kind() == ErrorKind::unavailable && now - one.asked >= options.patience.idle;
    if (!is_late && (++one.failures >= most_failures || error.kind() != ErrorKind::unavailable))
      give_up(peer, error.what());
  }
  const auto answer_time = std::chrono::duration_cast<milliseconds>(share->answer_time(peer));
  // That was who it is; it is not known yet, or since then, what is missing.
  if (one.names.empty()) return;
  one.due = now + std::max({one.interval, least_interval(),
                            std::min<milliseconds>(2 * answer_time, longest_of_slow)});
}

void PeerGroup::State::give_up(size_t peer, const std::string& why) {
  if (share->is_given_up(peer)) return;
  share->give_up(peer);
  note_failure(peer, why);
}

void PeerGroup::State::note_failure(size_t peer, const std::string& why) {
  const std::lock_guard lock(mutex);
  use[peer].failed = true;
  log::info("peer {} is not asked any more: {}", use[peer].address, why);
}

Clock::time_point PeerGroup::State::next_due() const {
  auto next = Clock::now() + longest_interval;
  for (size_t i = 0; i < asking.size(); ++i)
    if (!asking[i].transfer && !share->is_given_up(i)) next = std::min(next, asking[i].due);
  return next;
}

bool PeerGroup::State::is_found() {
  const std::lock_guard lock(mutex);
  return found;
}

bool PeerGroup::State::wait_until_found() {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, options.patience.idle, [&] { return found; });
}

PeerGroup::PeerGroup(PeerGroupOptions options) {
  for (const std::string& place : options.places) peer_place(place);
  state_ = std::make_shared<State>(std::move(options));
}

void PeerGroup::start() {
  state_->pool = std::make_unique<HttpPool>();
  state_->question_pool = std::make_unique<HttpPool>();
  thread_ = std::thread([state = state_] { state->run(); });
}

PeerGroup::~PeerGroup() { stop(); }

// A thread that waits for a name server is left to itself.
void PeerGroup::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(state_->inbox->mutex);
    state_->inbox->stop = true;
    state_->inbox->changed.notify_all();
  }
  is_found() ? thread_.join() : thread_.detach();
}

void PeerGroup::want(const std::vector<const nix::NarInfo*>& missing) {
  const std::lock_guard lock(state_->mutex);
  for (const nix::NarInfo* narinfo : missing) state_->wanted.push_back(peer_name(narinfo->info));
  state_->wanted_at = Clock::now();
  if (!state_->found) return;
  state_->share->want(state_->wanted, state_->wanted_at);
  const std::lock_guard inbox(state_->inbox->mutex);
  state_->inbox->is_wanted = true;
  state_->inbox->changed.notify_one();
}

PeerShare::Choice PeerGroup::choose(const nix::PathInfo& info) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->found)
      return {now - state_->wanted_at < state_->options.patience.start ? PeerShare::From::later
                                                                       : PeerShare::From::caches};
  }
  return state_->share->choose(peer_name(info), now);
}

bool PeerGroup::is_found() const { return state_->is_found(); }

bool PeerGroup::is_shared() const { return is_found() && state_->share->answering() > 0; }

BinaryCache& PeerGroup::cache(size_t peer) { return *state_->caches.at(peer); }

void PeerGroup::took(const nix::PathInfo& info, const PeerShare::Choice& choice) {
  if (is_found()) state_->share->took(peer_name(info), choice);
}

std::optional<std::string> PeerGroup::hedge() {
  return is_found() ? state_->share->hedge(Clock::now()) : std::nullopt;
}

void PeerGroup::released(const nix::PathInfo& info) {
  if (is_found()) state_->share->released(peer_name(info));
}

PeerShare::Choice PeerGroup::second(size_t peer, const nix::PathInfo& info, Clock::time_point since) {
  return state_->share->second(peer_name(info), peer, since, Clock::now());
}

void PeerGroup::overtaken(size_t peer, bool was_first) {
  state_->share->overtaken(peer, was_first, Clock::now());
}

void PeerGroup::gave(size_t peer, const nix::PathInfo& info, Clock::duration took) {
  state_->share->gave(peer, took, Clock::now());
  const std::lock_guard lock(state_->mutex);
  ++state_->use.at(peer).paths;
  state_->use.at(peer).bytes += info.nar_size;
}

// It had it a moment ago, or has too much to do: that is no fault.
void PeerGroup::failed(size_t peer, const nix::PathInfo& info, const Error& error) {
  using Refusal = PeerShare::Refusal;
  const Refusal refusal = error.kind() == ErrorKind::not_found  ? Refusal::absent
                          : error.kind() == ErrorKind::conflict ? Refusal::busy
                                                                : Refusal::slow;
  state_->share->refused(peer, peer_name(info), refusal, Clock::now());
  if (refusal == Refusal::slow) log::info("{}: {}", info.path.to_string(), error.what());
  if (refusal == Refusal::slow && error.kind() != ErrorKind::unavailable) state_->give_up(peer, error.what());
}

void PeerGroup::lied(size_t peer, const nix::PathInfo& info, const Error& error) {
  log::warning("peer {} gave for {} what was not signed: {}", state_->use.at(peer).address,
               info.path.to_string(), error.what());
  state_->share->refused(peer, peer_name(info), PeerShare::Refusal::absent, Clock::now());
  state_->give_up(peer, error.what());
  const std::lock_guard lock(state_->mutex);
  state_->use.at(peer).lied = true;
}

void PeerGroup::done(const nix::PathInfo& info) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->found) {
      std::erase(state_->wanted, peer_name(info));
      return;
    }
  }
  state_->share->done(peer_name(info), Clock::now());
}

void PeerGroup::cache_gave(Clock::duration took) {
  if (is_found()) state_->share->cache_gave(took);
}

void PeerGroup::cache_rate(uint64_t bytes, Clock::duration took) { state_->pace->cache_gave(bytes, took); }

void PeerGroup::measure_caches(std::function<PeerPace::Beginning(const nix::PathInfo&)> open_beginning) {
  state_->pace->open_beginning = std::move(open_beginning);
}

uint64_t PeerGroup::cache_rate() const { return state_->pace->cache_rate(); }

uint64_t PeerGroup::bytes() const { return state_->pace->bytes; }

uint64_t PeerGroup::hedges() const { return is_found() ? state_->share->hedges() : 0; }

std::vector<PeerUse> PeerGroup::use() const {
  const std::lock_guard lock(state_->mutex);
  return state_->use;
}

std::optional<std::string> PeerGroup::narinfo(const std::string& name) {
  if (!state_->wait_until_found() || state_->caches.empty()) return std::nullopt;
  const size_t count = state_->caches.size();
  const size_t first = std::hash<std::string>()(name) % count;
  for (size_t i = 0; i < count; ++i) {
    const size_t peer = (first + i) % count;
    if (state_->share->is_given_up(peer)) continue;
    CacheAnswer answer = state_->caches[peer]->ask(name);
    if (answer.error) {
      state_->give_up(peer, answer.error->what());
      continue;
    }
    if (!answer.text) continue;
    const std::lock_guard lock(state_->mutex);
    state_->narinfos[std::string(nix::digest_of_narinfo_name(name).value_or(""))] = peer;
    return std::move(answer.text);
  }
  return std::nullopt;
}

PeerCache& PeerGroup::cache_of(const nix::PathInfo& info) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->narinfos.find(std::string(info.path.digest()));
  if (found == state_->narinfos.end() || state_->share->is_given_up(found->second))
    fail(ErrorKind::unavailable, "no peer has {} any more", info.path.to_string());
  return *state_->caches[found->second];
}

CacheUrl url_of_peers() {
  CacheUrl url;
  url.text = "of the peers";
  return url;
}

PeersAsCache::PeersAsCache(PeerGroup& group) : BinaryCache(url_of_peers()), group_(group) {}

void PeersAsCache::ask(const std::string& name, std::function<void(CacheAnswer)> done) {
  CacheAnswer answer;
  if (nix::digest_of_narinfo_name(name)) answer.text = group_.narinfo(name);
  done(std::move(answer));
}

std::unique_ptr<NarFile> PeersAsCache::open_nar(const nix::NarInfo& info, size_t buffer) {
  return group_.cache_of(info.info).open_only(info, buffer);
}

void PeersAsCache::put(std::string_view name, const std::filesystem::path& /*file*/,
                       std::string_view /*content_type*/) {
  fail(ErrorKind::invalid_input, "{} cannot be stored at peers", name);
}

}  // namespace flox::store
