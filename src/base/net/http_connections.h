// Which connections a server has, of which peers, and which of them makes room when there are too many.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <list>
#include <map>
#include <string>

namespace flox {

// The connections of one IPv4 address or IPv6 /64, which one person has as easily as one address.
std::string peer_name(const boost::asio::ip::address& address);

// Templated by what a connection is, so that a test needs no sockets. One thread at a time.
template <typename Connection>
class HttpConnections {
 public:
  // What a connection does, by how readily it makes room.
  enum class Waiting { for_request, for_transfer, not_at_all };

  struct Peer {
    size_t count = 0;                   // open ones
    size_t places = 0;                  // and those that are closed, but have operations yet
    size_t streams = 0;                 // streamed answers in progress
    uint64_t memory = 0;                // bytes of bodies and answers
    std::list<Connection*> waiting[2];  // for_request, for_transfer; the longest first
  };
  using PeerIt = typename std::map<std::string, Peer>::iterator;

  // A connection's place here; gone with the connection.
  class Place {
   public:
    Place(HttpConnections& all, PeerIt peer, Connection* self) : all_(all), peer_(peer), self_(self) {
      ++peer_->second.places;
      ++peer_->second.count;
      ++all_.count_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      leave();
      if (--peer_->second.places == 0) all_.peers_.erase(peer_);
    }
    // It is closed, though its operations have not ended: the next one has room.
    void leave() {
      if (has_left_) return;
      has_left_ = true;
      wait(Waiting::not_at_all);
      --peer_->second.count;
      --all_.count_;
    }
    // Goes to the end of the row of those that wait so.
    void wait(Waiting how) {
      if (how_ != Waiting::not_at_all) row(how_).erase(in_row_);
      how_ = how;
      if (how_ != Waiting::not_at_all) in_row_ = row(how_).insert(row(how_).end(), self_);
    }
    Peer& peer() const { return peer_->second; }

   private:
    std::list<Connection*>& row(Waiting how) const { return peer_->second.waiting[static_cast<size_t>(how)]; }

    HttpConnections& all_;
    PeerIt peer_;
    Connection* self_;
    Waiting how_ = Waiting::not_at_all;
    bool has_left_ = false;
    typename std::list<Connection*>::iterator in_row_;
  };

  // Open ones.
  size_t count() const noexcept { return count_; }
  PeerIt peer(const std::string& name) { return peers_.try_emplace(name).first; }
  // Forgets a peer that has no connections.
  void forget(PeerIt peer) {
    if (peer->second.places == 0) peers_.erase(peer);
  }

  // Who makes room among a peer's own; null if all are being answered.
  static Connection* longest_waiting(const Peer& peer) {
    for (const auto& row : peer.waiting)
      if (!row.empty()) return row.front();
    return nullptr;
  }
  // Who makes room among all: of the peer with the most connections that wait.
  Connection* longest_waiting() const {
    const Peer* heaviest = nullptr;
    size_t most = 0;
    for (const auto& [name, peer] : peers_)
      if (const size_t waiting = peer.waiting[0].size() + peer.waiting[1].size(); waiting > most) {
        most = waiting;
        heaviest = &peer;
      }
    return heaviest == nullptr ? nullptr : longest_waiting(*heaviest);
  }
  template <typename Visit>
  void for_each_waiting(Visit&& visit) const {
    for (const auto& [name, peer] : peers_)
      for (const auto& row : peer.waiting)
        for (Connection* connection : row) visit(connection);
  }

 private:
  std::map<std::string, Peer> peers_;
  size_t count_ = 0;
};

}  // namespace flox
