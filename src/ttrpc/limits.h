// What the clients of a server may take, together and each. A limit of 0 is none.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "ttrpc/frame.h"

namespace flox::ttrpc {

struct Limits {
  size_t message = max_payload;      // bytes of one request
  size_t connections = 0;            // in all
  size_t connections_of_client = 0;  // of one client: those with one name (Caller::name)
  size_t calls_of_connection = 0;    // at once
  size_t bytes = 0;                  // of requests that are being read or answered, in all
  size_t bytes_of_client = 0;
  size_t unread = 0;  // bytes of answers that the client has not read: nothing more is read of it meanwhile
  // A connection without a call is closed after this time.
  std::chrono::milliseconds idle_time{0};
  // So long a request may take to arrive from its first byte on, and the client to take an answer.
  std::chrono::milliseconds frame_time{0};
};

// Why a connection was closed or a request refused.
enum class Refusal { identity, connections, message, calls, bytes, slow };

// What all clients have now. Thread-safe.
class Ledger {
 public:
  Ledger(const Limits& limits, std::function<void(Refusal)> refused)
      : limits_(limits), refused_(std::move(refused)) {}

  const Limits& limits() const noexcept { return limits_; }
  void refused(Refusal reason) const {
    if (refused_) refused_(reason);
  }

  // False if that would break a limit; nothing is taken then.
  bool take(const std::string& client, size_t connections, size_t bytes);
  void give_back(const std::string& client, size_t connections, size_t bytes);
  size_t connections() const;

 private:
  struct Use {
    size_t connections = 0;
    size_t bytes = 0;
  };
  const Limits limits_;
  const std::function<void(Refusal)> refused_;
  mutable std::mutex mutex_;
  Use all_;
  std::map<std::string, Use> by_client_;  // those that have something
};

// A part of the ledger, given back with the object. One thread at a time.
class Charge {
 public:
  Charge(std::shared_ptr<Ledger> ledger, std::string client)
      : ledger_(std::move(ledger)), client_(std::move(client)) {}
  Charge(Charge&& other) noexcept
      : ledger_(std::move(other.ledger_)),
        client_(std::move(other.client_)),
        connections_(std::exchange(other.connections_, 0)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&&) = delete;
  ~Charge() {
    if (connections_ + bytes_ > 0) ledger_->give_back(client_, connections_, bytes_);
  }
  bool connection() { return take(1, 0); }
  bool bytes(size_t count) { return take(0, count); }

 private:
  bool take(size_t connections, size_t bytes) {
    if (!ledger_->take(client_, connections, bytes)) return false;
    connections_ += connections;
    bytes_ += bytes;
    return true;
  }
  std::shared_ptr<Ledger> ledger_;
  std::string client_;
  size_t connections_ = 0;
  size_t bytes_ = 0;
};

}  // namespace flox::ttrpc
