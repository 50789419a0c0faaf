#include "store/peers/peer_share.h"

#include <algorithm>
#include <utility>

#include "nix/store_path.h"

namespace flox::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto busy_pause = milliseconds(100);
constexpr auto slow_pause = seconds(1);
constexpr unsigned most_strikes = 3;
// Requests to one peer at once: it gives this node no more (PeerServerOptions::transfers).
constexpr size_t transfers_of_peer = 4;
// How often a peer is asked about all that is open, after the time in which nodes start.
constexpr auto all_interval = seconds(1);
constexpr auto time_of_starts = seconds(2);
// However many nodes stand before this one, it waits no longer than for so many.
constexpr size_t most_turns = 5;
constexpr auto longest_first = seconds(10);
constexpr auto longest_idle = seconds(20);
constexpr size_t most_hedges_at_once = 12;

// Every node comes to the same numbers (docs/formats/peers.md): FNV-1a, and the mixer of SplitMix64.
uint64_t path_number(std::string_view digest) {
  uint64_t number = 0xcbf29ce484222325;
  for (const char c : digest) number = (number ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return number;
}

uint64_t mixed(uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

// Rendezvous hashing: of several nodes, the one with the highest rank is chosen for a path.
uint64_t rank(uint64_t node, uint64_t path) { return mixed(mixed(node) ^ path); }

bool is_under_way(PeerHas has) { return has != PeerHas::nothing && has != PeerHas::present; }

// As TCP smooths its round trips (RFC 6298, 2.3).
template <typename Duration>
void smooth(Duration& average, Duration sample) {
  average = average == Duration::zero() ? sample : (7 * average + sample) / 8;
}

}  // namespace

PeerShare::PeerShare(uint64_t self, size_t peers, PeerPatience patience, Time started, bool in_no_hurry)
    : self_(self),
      patience_(patience),
      in_no_hurry_(in_no_hurry),
      peers_(peers),
      started_(started),
      began_(started) {}

void PeerShare::want(const std::vector<std::string>& names, Time now) {
  const std::lock_guard lock(mutex_);
  began_ = now;
  for (const std::string& name : names) {
    Path path;
    path.number = path_number(std::string_view(name).substr(0, nix::digest_length));
    if (paths_.emplace(name, std::move(path)).second) order_.push_back(name);
  }
  wanted_ = paths_.size();
}

std::vector<std::string> PeerShare::question(size_t number, Time now) {
  const std::lock_guard lock(mutex_);
  Peer& peer = peers_.at(number);
  const bool all = !peer.node || now - began_ < time_of_starts || now - peer.asked_all >= all_interval;
  if (all) peer.asked_all = now;
  std::vector<std::string> names;
  for (const std::string& name : order_) {
    if (names.size() == most_asked_of_peer) break;
    const auto found = paths_.find(name);
    if (found == paths_.end() || found->second.is_taken) continue;
    const Path& path = found->second;
    const PeerHas has = path.has.empty() ? PeerHas::undecided : path.has[number];
    if (all ? has != PeerHas::present : is_under_way(has)) names.push_back(name);
  }
  return names;
}

void PeerShare::done(const std::string& name, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.find(name);
  if (found == paths_.end()) return;
  hedge_ended(found->second, now);
  paths_.erase(found);
  while (!order_.empty() && !paths_.contains(order_.front())) order_.pop_front();
}

bool PeerShare::answered(size_t number, const std::vector<std::string>& names, const PeerAnswer& answer,
                         Time asked, Time now) {
  const std::lock_guard lock(mutex_);
  Peer& peer = peers_.at(number);
  smooth(peer.answer_time, now - asked);
  is_answered_ = true;
  if (answer.node == self_) {
    peer.given_up = true;
    return false;
  }
  if (!peer.node || answer.progress != peer.progress) peer.moved = now;
  bool is_news = !peer.node;
  peer.node = answer.node;
  peer.progress = answer.progress;
  peer.is_heard = peer.is_heard || !names.empty();
  for (size_t i = 0; i < names.size() && i < answer.has.size(); ++i) {
    const auto found = paths_.find(names[i]);
    if (found == paths_.end()) continue;
    Path& path = found->second;
    if (path.has.empty()) path.has.resize(peers_.size(), PeerHas::undecided);
    is_news = is_news || path.has[number] != answer.has[i];
    path.has[number] = answer.has[i];
  }
  return is_news;
}

PeerShare::Time::duration PeerShare::answer_time(size_t peer) const {
  const std::lock_guard lock(mutex_);
  return peers_.at(peer).answer_time;
}

void PeerShare::give_up(size_t peer) {
  const std::lock_guard lock(mutex_);
  peers_.at(peer).given_up = true;
}

bool PeerShare::is_given_up(size_t peer) const {
  const std::lock_guard lock(mutex_);
  return peers_.at(peer).given_up;
}

bool PeerShare::is_slow(size_t peer) const {
  const std::lock_guard lock(mutex_);
  const Peer& one = peers_.at(peer);
  return one.strikes >= most_strikes || (one.strikes > 0 && !one.has_given);
}

// One may have much to do, and several of its transfers stand still at once: that is one strike.
void PeerShare::strike(Peer& peer, Time now) {
  if (peer.strikes > 0 && now - peer.struck < patience_.idle) return;
  peer.struck = now;
  if (++peer.strikes >= most_strikes) peer.given_up = true;
}

PeerShare::Time::duration PeerShare::longest_answer_time() const {
  Time::duration longest{};
  for (const Peer& peer : peers_) longest = std::max(longest, peer.answer_time);
  return longest;
}

// A machine that has much to do is so for all: how long others need for an answer and this node for a path
// says how long a peer may need.
PeerShare::Time::duration PeerShare::idle_time() const {
  const Time::duration usual =
      std::max<Time::duration>(patience_.idle, 2 * std::max(gave_after_, cache_gave_after_)) +
      4 * longest_answer_time();
  return std::min<Time::duration>(usual, std::max<Time::duration>(patience_.idle, longest_idle));
}

PeerShare::Time::duration PeerShare::stall_time() const {
  const std::lock_guard lock(mutex_);
  return idle_time();
}

void PeerShare::ended_at(size_t peer) {
  if (peers_.at(peer).transfers > 0) --peers_[peer].transfers;
}

void PeerShare::refused(size_t peer, const std::string& name, Refusal refusal, Time now) {
  const std::lock_guard lock(mutex_);
  ended_at(peer);
  if (refusal == Refusal::slow) strike(peers_[peer], now);
  const auto found = paths_.find(name);
  if (found == paths_.end()) return;
  Path& path = found->second;
  path.is_taken = false;
  if (refusal == Refusal::absent) {
    if (path.without.empty()) path.without.resize(peers_.size());
    path.without[peer] = true;
  } else {
    if (path.busy_until.empty()) path.busy_until.resize(peers_.size());
    path.busy_until[peer] = now + (refusal == Refusal::busy ? Time::duration(busy_pause) : slow_pause);
  }
}

void PeerShare::gave(size_t number, Time::duration took, Time now) {
  const std::lock_guard lock(mutex_);
  ended_at(number);
  Peer& peer = peers_[number];
  peer.moved = now;
  peer.strikes = 0;
  peer.has_given = true;
  smooth(gave_after_, took);
}

void PeerShare::cache_gave(Time::duration took) {
  const std::lock_guard lock(mutex_);
  smooth(cache_gave_after_, took);
}

void PeerShare::overtaken(size_t peer, bool was_first, Time now) {
  const std::lock_guard lock(mutex_);
  ended_at(peer);
  if (was_first) strike(peers_[peer], now);
}

// A pod does not wait for what another node prefetches at its pace; prefetching waits for both.
bool PeerShare::is_interested(const Peer& peer, PeerHas has, bool is_above, Time now) const {
  switch (has) {
    case PeerHas::fetching:
      return true;
    case PeerHas::planned:
      return is_above || in_no_hurry_;
    case PeerHas::fetching_slowly:
      return in_no_hurry_;
    case PeerHas::planned_slowly:
      return in_no_hurry_ && is_above;
    case PeerHas::undecided:  // it takes about as long for that as this node did
      return is_above && now - began_ < std::max<Time::duration>(2 * (began_ - started_), patience_.start) +
                                            2 * peer.answer_time;
    case PeerHas::nothing:  // it may need it in a moment
      return is_above && now - began_ < patience_.start;
    case PeerHas::present:  // it did not give it
      return false;
  }
  return false;
}

std::vector<PeerShare::Claimant> PeerShare::claimants_before(const Path& path, Time now) const {
  const Rank mine(rank(self_, path.number), self_);
  std::vector<Claimant> before;
  for (size_t i = 0; i < peers_.size(); ++i) {
    const Peer& peer = peers_[i];
    if (peer.given_up || !peer.node) continue;
    const Rank other(rank(*peer.node, path.number), *peer.node);
    const PeerHas has = path.has.empty() ? PeerHas::undecided : path.has[i];
    if (!is_interested(peer, has, other > mine, now)) continue;
    const bool is_fetching = has == PeerHas::fetching || has == PeerHas::fetching_slowly;
    before.push_back({.is_fetching = is_fetching, .rank = other, .peer = &peer});
  }
  std::ranges::sort(before, std::ranges::greater{},
                    [](const Claimant& one) { return std::pair(one.is_fetching, one.rank); });
  return before;
}

// The answers that are there, this node's own to itself among them, say how long others may take.
bool PeerShare::waits_for_first_answers(Time now) const {
  const Time::duration longest = longest_answer_time();
  const Time::duration patience =
      is_answered_
          ? std::max<Time::duration>(patience_.first, std::min<Time::duration>(4 * longest, longest_first))
          : std::max(patience_.first, patience_.silent);
  return std::ranges::any_of(peers_, [&](const Peer& peer) {
    if (peer.given_up || (peer.node && (peer.is_heard || paths_.empty()))) return false;
    return now - (peer.node ? began_ : started_) < patience;
  });
}

// One that makes no progress is replaced by the node behind it, and that one by the next, each after a time
// of its own: never by all at once.
bool PeerShare::is_left_to_others(const Path& path, Time now) const {
  const std::vector<Claimant> before = claimants_before(path, now);
  const Time::duration idle = idle_time();
  for (size_t i = 0; i < before.size(); ++i) {
    const Peer& peer = *before[i].peer;
    const auto turns = static_cast<int>(std::min(before.size() - i, most_turns));
    if (now - peer.moved <= turns * idle) return true;
  }
  return false;
}

bool PeerShare::is_somewhere(const Path& path) const {
  for (size_t i = 0; i < path.has.size(); ++i)
    if (path.has[i] == PeerHas::present && !peers_[i].given_up && (path.without.empty() || !path.without[i]))
      return true;
  return false;
}

// Of the peers that have it, each node asks another one. One that was slow is tried with one path at a time,
// and not waited for.
PeerShare::Choice PeerShare::choose_peer(const Path& path, Time now, std::optional<size_t> other_than,
                                         bool& is_busy) const {
  std::optional<std::pair<uint64_t, size_t>> best;
  for (size_t i = 0; i < path.has.size(); ++i) {
    if (peers_[i].given_up || path.has[i] != PeerHas::present || i == other_than) continue;
    if (!path.without.empty() && path.without[i]) continue;
    const bool is_resting = !path.busy_until.empty() && now < path.busy_until[i];
    const bool is_struck = peers_[i].strikes > 0;
    if (is_resting || peers_[i].transfers >= (is_struck ? 1 : transfers_of_peer)) {
      is_busy = is_busy || !is_struck;
      continue;
    }
    best = std::max(best, std::optional(std::pair(rank(*peers_[i].node ^ self_, path.number), i)));
  }
  return best ? Choice{From::peer, best->second} : Choice{};
}

PeerShare::Choice PeerShare::choose(const std::string& name, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.find(name);
  if (found == paths_.end()) return {};
  bool is_busy = false;
  const Choice peer = choose_peer(found->second, now, std::nullopt, is_busy);
  if (peer.from == From::peer) return peer;
  const bool wait = is_busy || waits_for_first_answers(now) || is_left_to_others(found->second, now);
  return {wait ? From::later : From::caches, 0};
}

void PeerShare::took(const std::string& name, const Choice& choice) {
  const std::lock_guard lock(mutex_);
  idle_since_.reset();
  if (choice.from == From::peer) ++peers_.at(choice.peer).transfers;
  if (const auto found = paths_.find(name); found != paths_.end()) found->second.is_taken = true;
}

PeerShare::Time::duration PeerShare::second_delay() const {
  return std::clamp<Time::duration>(3 * std::max(gave_after_, cache_gave_after_), patience_.hedge,
                                    patience_.longest_hedge);
}

PeerShare::Time::duration PeerShare::hedge_delay() const {
  return hedges_ < hedge_budget() ? second_delay() : 4 * second_delay();
}

// Those of all nodes together are to be a twentieth of the paths; more than that comes much later.
size_t PeerShare::hedge_budget() const { return wanted_ / 20 / (sharing() + 1); }

size_t PeerShare::sharing() const {
  return static_cast<size_t>(
      std::ranges::count_if(peers_, [](const Peer& peer) { return peer.node && !peer.given_up; }));
}

std::optional<std::string> PeerShare::hedge(Time now) {
  const std::lock_guard lock(mutex_);
  if (!idle_since_) idle_since_ = now;
  if (waits_for_first_answers(now) || hedges_open_ >= hedges_at_once_) return std::nullopt;
  const Time::duration delay = hedge_delay();
  std::optional<size_t> fewest;
  std::map<std::string, Path, std::less<>>::iterator best;
  for (auto it = paths_.begin(); it != paths_.end(); ++it) {
    if (it->second.is_taken) continue;
    // It stands behind the one that it hedges against, and behind others that would do the same.
    size_t turns = std::min(std::max<size_t>(1, claimants_before(it->second, now).size()), most_turns);
    if (is_somewhere(it->second)) turns += most_turns;
    if (now - *idle_since_ < static_cast<int>(turns) * delay || (fewest && *fewest <= turns)) continue;
    fewest = turns;
    best = it;
  }
  if (!fewest) return std::nullopt;
  best->second.is_taken = true;
  best->second.is_hedged = true;
  ++hedges_;
  ++hedges_open_;
  return best->first;
}

void PeerShare::released(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.find(name);
  if (found == paths_.end()) return;
  found->second.is_taken = false;
  if (!std::exchange(found->second.is_hedged, false)) return;
  --hedges_;
  --hedges_open_;
}

// A peer that was overtaken often makes promises only.
void PeerShare::hedge_ended(Path& path, Time now) {
  if (!std::exchange(path.is_hedged, false)) return;
  --hedges_open_;
  if (is_somewhere(path)) {
    hedges_at_once_ = 1;
    return;
  }
  hedges_at_once_ = std::min(2 * hedges_at_once_, most_hedges_at_once);
  for (size_t i = 0; i < path.has.size(); ++i)
    if (path.has[i] == PeerHas::fetching && !peers_[i].given_up) strike(peers_[i], now);
}

PeerShare::Choice PeerShare::second(const std::string& name, size_t peer, Time since, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.find(name);
  if (found == paths_.end() || found->second.is_hedged || now - since < second_delay())
    return {From::later, 0};
  bool is_busy = false;
  const Choice other = choose_peer(found->second, now, peer, is_busy);
  if (other.from == From::peer) {
    found->second.is_hedged = true;
    ++hedges_open_;
    ++peers_[other.peer].transfers;
    return other;
  }
  const size_t turns = 2 + std::min(claimants_before(found->second, now).size(), most_turns);
  if (is_busy || now - since < static_cast<int>(turns) * hedge_delay()) return {From::later, 0};
  found->second.is_hedged = true;
  ++hedges_;
  ++hedges_open_;
  return {From::caches, 0};
}

size_t PeerShare::answering() const {
  const std::lock_guard lock(mutex_);
  return sharing();
}

size_t PeerShare::hedges() const {
  const std::lock_guard lock(mutex_);
  return hedges_;
}

}  // namespace flox::store
