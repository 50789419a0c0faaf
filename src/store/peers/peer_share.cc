#include "store/peers/peer_share.h"

#include <algorithm>

#include "nix/store_path.h"

namespace flox::store {
namespace {

constexpr auto busy_pause = std::chrono::milliseconds(100);

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

}  // namespace

PeerShare::PeerShare(uint64_t self, size_t peers, PeerPatience patience, bool in_no_hurry)
    : self_(self), patience_(patience), in_no_hurry_(in_no_hurry), peers_(peers) {}

void PeerShare::want(const std::vector<std::string>& names, Time now) {
  const std::lock_guard lock(mutex_);
  began_ = now;
  for (const std::string& name : names) {
    Path path;
    path.number = path_number(std::string_view(name).substr(0, nix::digest_length));
    if (paths_.emplace(name, std::move(path)).second) order_.push_back(name);
  }
}

std::vector<std::string> PeerShare::open_names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const std::string& name : order_) {
    if (names.size() == most_asked_of_peer) break;
    if (paths_.contains(name)) names.push_back(name);
  }
  return names;
}

void PeerShare::done(const std::string& name) {
  const std::lock_guard lock(mutex_);
  paths_.erase(name);
  while (!order_.empty() && !paths_.contains(order_.front())) order_.pop_front();
}

void PeerShare::answered(size_t number, const std::vector<std::string>& names, const PeerAnswer& answer,
                         Time now) {
  const std::lock_guard lock(mutex_);
  Peer& peer = peers_.at(number);
  if (answer.node == self_) {
    peer.given_up = true;
    return;
  }
  if (!peer.node || answer.progress != peer.progress) peer.moved = now;
  peer.heard = now;
  peer.node = answer.node;
  peer.progress = answer.progress;
  for (size_t i = 0; i < names.size() && i < answer.has.size(); ++i) {
    const auto found = paths_.find(names[i]);
    if (found == paths_.end()) continue;
    Path& path = found->second;
    if (path.has.empty()) path.has.resize(peers_.size(), PeerHas::nothing);
    path.has[number] = answer.has[i];
  }
}

void PeerShare::give_up(size_t peer) {
  const std::lock_guard lock(mutex_);
  peers_.at(peer).given_up = true;
}

bool PeerShare::is_given_up(size_t peer) const {
  const std::lock_guard lock(mutex_);
  return peers_.at(peer).given_up;
}

void PeerShare::refused(size_t peer, const std::string& name, bool busy, Time now) {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.find(name);
  if (found == paths_.end()) return;
  Path& path = found->second;
  if (busy) {
    if (path.busy_until.empty()) path.busy_until.resize(peers_.size());
    path.busy_until.at(peer) = now + busy_pause;
  } else {
    if (path.without.empty()) path.without.resize(peers_.size());
    path.without.at(peer) = true;
  }
}

void PeerShare::gave(size_t peer, Time now) {
  const std::lock_guard lock(mutex_);
  peers_.at(peer).heard = now;
  peers_.at(peer).moved = now;
}

bool PeerShare::may_wait_for(const Peer& peer, Path& path, Time now) const {
  if (peer.heard - peer.moved > patience_.idle || now - peer.heard > patience_.silent) return false;
  return now - path.waited_since.value_or(now) <= patience_.path;
}

// A pod does not wait for what another node prefetches at its pace; prefetching waits for both.
bool PeerShare::is_left_to(const Peer& peer, PeerHas has, Path& path, Time now) const {
  const bool is_chosen =
      std::pair(rank(*peer.node, path.number), *peer.node) > std::pair(rank(self_, path.number), self_);
  switch (has) {
    case PeerHas::fetching:
      return may_wait_for(peer, path, now);
    case PeerHas::planned:
      return (is_chosen || in_no_hurry_) && may_wait_for(peer, path, now);
    case PeerHas::fetching_slowly:
      return in_no_hurry_ && may_wait_for(peer, path, now);
    case PeerHas::planned_slowly:
      return in_no_hurry_ && is_chosen && may_wait_for(peer, path, now);
    case PeerHas::nothing:  // it may plan it in a moment
      return is_chosen && now - began_ < patience_.start;
    case PeerHas::present:  // it did not give it
      return false;
  }
  return false;
}

// Of the peers that have it, each node asks another one.
PeerShare::Choice PeerShare::choose_peer(Path& path, Time now, bool& is_busy) const {
  std::optional<std::pair<uint64_t, size_t>> best;
  for (size_t i = 0; i < path.has.size(); ++i) {
    if (peers_[i].given_up || path.has[i] != PeerHas::present) continue;
    if (!path.without.empty() && path.without[i]) continue;
    if (!path.busy_until.empty() && now < path.busy_until[i]) {
      is_busy = is_busy || may_wait_for(peers_[i], path, now);
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
  Path& path = found->second;
  bool wait = false;
  const Choice peer = choose_peer(path, now, wait);
  if (peer.from == From::peer) return peer;

  for (size_t i = 0; i < peers_.size() && !wait; ++i) {
    const Peer& other = peers_[i];
    if (other.given_up) continue;
    if (!other.node || path.has.empty()) {  // it may be the one that is chosen
      wait = now - began_ < patience_.first;
      continue;
    }
    wait = is_left_to(other, path.has[i], path, now);
  }
  if (!wait) return {};
  if (!path.waited_since) path.waited_since = now;
  return {From::later, 0};
}

size_t PeerShare::answering() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::ranges::count_if(peers_, [](const Peer& peer) { return peer.node && !peer.given_up; }));
}

}  // namespace flox::store
