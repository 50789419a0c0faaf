// Who of the nodes that fetch the same paths asks the caches for which path, and whom the others ask
// (docs/explanation/sharing.md). No network and no clock of its own: what peers said comes in, choices come
// out.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/peers/peer_question.h"

namespace flox::store {

struct PeerPatience {
  // How long what nobody fetches yet is left to the node that is chosen for it: others begin a little later.
  std::chrono::milliseconds start{500};
  // The same for a peer that has not answered its first question.
  std::chrono::milliseconds first{1500};
  // How long a peer may make no progress, or give no byte, before the caches are asked instead.
  std::chrono::milliseconds idle{2000};
  // How long one may leave questions without an answer: a node that has much to do answers late.
  std::chrono::milliseconds silent{5000};
  // How long a path is waited for, whatever the peers say of their progress.
  std::chrono::milliseconds path{30'000};
};

// One realisation's view of its peers, which are numbered from 0. Thread-safe.
class PeerShare {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `self`: this floxd's own number (PeerAnswer::node). `in_no_hurry`: it prefetches.
  PeerShare(uint64_t self, size_t peers, PeerPatience patience, bool in_no_hurry = false);

  // The paths that are missing here from now on, by their names, in the order in which they are fetched.
  void want(const std::vector<std::string>& names, Time now);
  // The first of those that are not done.
  std::vector<std::string> open_names() const;
  // It is here, or given up.
  void done(const std::string& name);

  // A peer has answered a question of these names. Not counted if it is this floxd itself.
  void answered(size_t peer, const std::vector<std::string>& names, const PeerAnswer& answer, Time now);
  // It is asked no more in this realisation: it cannot be reached, is too slow or lies.
  void give_up(size_t peer);
  bool is_given_up(size_t peer) const;
  // It did not give this path now. It is asked again when it says once more that it has it, if it was `busy`.
  void refused(size_t peer, const std::string& name, bool busy, Time now);
  // It gave a path.
  void gave(size_t peer, Time now);

  enum class From {
    caches,
    peer,
    later,  // a peer will have it: ask again
  };
  struct Choice {
    From from = From::caches;
    size_t peer = 0;
  };
  Choice choose(const std::string& name, Time now);
  // Peers that have answered and are not given up.
  size_t answering() const;

 private:
  struct Peer {
    std::optional<uint64_t> node;  // nothing until it has answered
    uint64_t progress = 0;
    Time heard{};  // its last answer
    Time moved{};  // the last one that said it had got on
    bool given_up = false;
  };
  struct Path {
    uint64_t number = 0;           // of its digest
    std::vector<PeerHas> has;      // by peer; empty: none has answered
    std::vector<Time> busy_until;  // by peer; empty: none was busy
    std::vector<bool> without;     // by peer: it did not give what it says it has
    std::optional<Time> waited_since;
  };

  bool may_wait_for(const Peer& peer, Path& path, Time now) const;
  bool is_left_to(const Peer& peer, PeerHas has, Path& path, Time now) const;
  Choice choose_peer(Path& path, Time now, bool& is_busy) const;

  const uint64_t self_;
  const PeerPatience patience_;
  const bool in_no_hurry_;
  mutable std::mutex mutex_;
  std::vector<Peer> peers_;
  std::map<std::string, Path, std::less<>> paths_;  // those that are not done
  std::deque<std::string> order_;
  Time began_{};
};

}  // namespace flox::store
