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
  // How long a peer is waited for that has not answered its first question, once another one has answered.
  // Longer where those answer late.
  std::chrono::milliseconds first{1500};
  // How long a peer may make no progress, or give no byte, before the next node takes its paths over.
  std::chrono::milliseconds idle{2000};
  // How long one may leave a question without an answer, and all of them the first one: a node that has much
  // to do answers late.
  std::chrono::milliseconds silent{5000};
  // The shortest and the longest time after which a node that has nothing else to do, or that waits for one
  // transfer, makes a second request for what a peer is to give (a hedge).
  std::chrono::milliseconds hedge{500};
  std::chrono::milliseconds longest_hedge{15'000};
};

// One realisation's view of its peers, which are numbered from 0. Thread-safe.
class PeerShare {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `self`: this floxd's own number (PeerAnswer::node). `in_no_hurry`: it prefetches.
  // `started`: when the realisation began to find out what it needs.
  PeerShare(uint64_t self, size_t peers, PeerPatience patience, Time started, bool in_no_hurry = false);

  // The paths that are missing here from now on, by their names, in the order in which they are fetched.
  void want(const std::vector<std::string>& names, Time now);
  // What to ask a peer about now: what it was on its way to when it was last heard, and now and then all that
  // is not under way here. Empty: nothing.
  std::vector<std::string> question(size_t peer, Time now);
  // It is here, or given up.
  void done(const std::string& name, Time now);

  // A peer has answered a question of these names, which was asked at `asked`. Not counted if it is this
  // floxd itself. Returns whether it says something else than before.
  bool answered(size_t peer, const std::vector<std::string>& names, const PeerAnswer& answer, Time asked,
                Time now);
  // How long it takes for an answer, on average; zero before the first.
  Time::duration answer_time(size_t peer) const;
  // How long a transfer may give no byte.
  Time::duration stall_time() const;
  // It is asked no more in this realisation: it cannot be reached, is too slow or lies.
  void give_up(size_t peer);
  bool is_given_up(size_t peer) const;
  // It was slow, or promised only, several times or without giving anything.
  bool is_slow(size_t peer) const;
  enum class Refusal {
    absent,  // it is not asked for this path again
    busy,    // it is, in a moment
    slow,    // it is, after others; when that has happened often, it is given up
  };
  // It did not give this path, of which it had been asked.
  void refused(size_t peer, const std::string& name, Refusal refusal, Time now);
  // It gave a path, of which it had been asked that long ago.
  void gave(size_t peer, Time::duration took, Time now);
  // A cache did.
  void cache_gave(Time::duration took);

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
  // A choice is followed: until done() or refused(), the path is under way here.
  void took(const std::string& name, const Choice& choice);
  // There is nothing to do but to wait for peers: the path that is to be fetched from the caches all the
  // same, if it is time. Its took() is done.
  std::optional<std::string> hedge(Time now);
  // The path is not under way here after all: another realisation fetches it.
  void released(const std::string& name);
  // A path was asked of a peer at `since`, and has not come: whom else to ask as well. From::later: nobody
  // yet. Its took() is done.
  Choice second(const std::string& name, size_t peer, Time since, Time now);
  // Of two requests for a path, the other one was faster; `was_first`: although it was made later.
  void overtaken(size_t peer, bool was_first, Time now);
  // Peers that have answered and are not given up.
  size_t answering() const;
  size_t hedges() const;

 private:
  struct Peer {
    std::optional<uint64_t> node;  // nothing until it has answered
    bool is_heard = false;         // and about paths
    uint64_t progress = 0;
    Time moved{};      // the last answer that said it had got on
    Time asked_all{};  // when it was last asked about all paths
    Time::duration answer_time{};
    size_t transfers = 0;  // that are asked of it
    unsigned strikes = 0;  // slow, or overtaken by a hedge, since it last gave something
    Time struck{};         // when the last of them was
    bool has_given = false;
    bool given_up = false;
  };
  struct Path {
    uint64_t number = 0;           // of its digest
    std::vector<PeerHas> has;      // by peer; empty: none has answered
    std::vector<Time> busy_until;  // by peer; empty: none was busy
    std::vector<bool> without;     // by peer: it did not give what it says it has
    bool is_taken = false;         // it is under way here
    bool is_hedged = false;        // from the caches, beside a peer
  };
  using Rank = std::pair<uint64_t, uint64_t>;
  // Nodes that are on their way to a path or will be, in the order in which they ask the caches for it.
  struct Claimant {
    bool is_fetching = false;
    Rank rank;
    const Peer* peer = nullptr;
  };

  bool is_interested(const Peer& peer, PeerHas has, bool is_above, Time now) const;
  std::vector<Claimant> claimants_before(const Path& path, Time now) const;
  bool is_left_to_others(const Path& path, Time now) const;
  bool waits_for_first_answers(Time now) const;
  bool is_somewhere(const Path& path) const;
  Choice choose_peer(const Path& path, Time now, std::optional<size_t> other_than, bool& is_busy) const;
  Time::duration second_delay() const;
  Time::duration hedge_delay() const;
  size_t hedge_budget() const;
  size_t sharing() const;  // answering(), under mutex_
  void hedge_ended(Path& path, Time now);
  void strike(Peer& peer, Time now);
  Time::duration longest_answer_time() const;
  Time::duration idle_time() const;
  void ended_at(size_t peer);

  const uint64_t self_;
  const PeerPatience patience_;
  const bool in_no_hurry_;
  mutable std::mutex mutex_;
  std::vector<Peer> peers_;
  std::map<std::string, Path, std::less<>> paths_;  // those that are not done
  std::deque<std::string> order_;
  size_t wanted_ = 0;
  Time started_{};            // the realisation
  Time began_{};              // what it needs is known
  bool is_answered_ = false;  // by anybody, be it this node itself
  std::optional<Time> idle_since_;
  Time::duration gave_after_{}, cache_gave_after_{};  // how long transfers take, on average
  size_t hedges_ = 0;                                 // in all
  size_t hedges_open_ = 0;
  size_t hedges_at_once_ = 1;  // twice as many after each that was faster than the peer
};

}  // namespace flox::store
