// What the worker and the generator need of a queue, an object store and a table. AWS's are in aws/, those of
// a directory on this machine in local/; backend/open.h chooses. Every call is thread-safe and throws
// flox::Error as aws/client.h describes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace ticket {

// One delivery of a message. It is delivered again when its visibility time-out passes before it is removed.
struct Message {
  std::string id;       // of the message, the same at each delivery
  std::string receipt;  // of this delivery; what remove and set_visibility ask for
  std::string body;
  int receive_count = 1;  // deliveries so far, this one included
  std::optional<std::chrono::system_clock::time_point> sent_at;
};

struct QueueTraits {
  std::chrono::seconds visibility{30};  // the queue's own time-out
  bool has_dead_letter_queue = false;   // the queue moves messages aside by itself (redrive policy)
};

// About how many messages there are.
struct QueueDepth {
  long waiting = 0;
  long hidden = 0;  // delivered, and neither removed nor timed out
};

class Queue {
 public:
  virtual ~Queue() = default;
  // Throws not_found if there is no such queue.
  virtual QueueTraits traits() = 0;
  virtual QueueDepth depth() = 0;
  // Waits up to `wait` for at most `most` (1 to 10) messages, which then stay hidden for `visibility` (none:
  // the queue's own time-out). Throws unavailable soon after `cancelled` says so.
  virtual std::vector<Message> receive(int most, std::chrono::seconds wait,
                                       std::optional<std::chrono::seconds> visibility,
                                       const std::function<bool()>& cancelled) = 0;
  virtual void remove(const std::string& receipt) = 0;
  // How long from now the messages stay hidden; zero gives them back. Receipts that the queue does not know
  // any more (removed, or delivered again) are left out silently: there is nothing to hide.
  virtual void set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) = 0;
  virtual void send(const std::string& body) = 0;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // Throws not_found if there is no such bucket.
  virtual void check_bucket(const std::string& bucket) = 0;
  // None if there is no such object. Throws invalid_input if it has more than `limit` bytes.
  virtual std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t limit) = 0;
  virtual void put(const std::string& bucket, const std::string& key, const std::string& content) = 0;
  // Stores the object unless one is there; whether it did. A store that cannot tell (S3-compatible ones of
  // before 2024 ignore If-None-Match) replaces it.
  virtual bool put_if_absent(const std::string& bucket, const std::string& key,
                             const std::string& content) = 0;
  // What is not there is removed already.
  virtual void remove(const std::string& bucket, const std::string& key) = 0;
};

class Table {
 public:
  virtual ~Table() = default;
  // Throws not_found if there is no such table.
  virtual void check() = 0;
  // Stores an item, a flat object of strings and numbers with ticket_id and created_at, unless the table has
  // one with the same two; whether it did.
  virtual bool put_if_absent(const nlohmann::ordered_json& item) = 0;
};

// The names of what a backend holds, and how the parts that are missing are made.
struct Resources {
  std::string queue;
  std::string raw_bucket;
  std::string enriched_bucket;
  std::string table;
  std::chrono::seconds visibility{300};
  std::string dead_letter_queue;  // empty: none
  int max_receives = 5;           // deliveries before a message goes to the dead-letter queue
  bool announce = true;           // the raw bucket announces new objects in the queue
};

using CancelCheck = std::function<bool()>;

// Where all of it is. The parts it hands out may be used after it is gone.
class Backend {
 public:
  virtual ~Backend() = default;
  // For people: "AWS in us-east-1", "http://localhost:4566", "local:/var/tickets".
  virtual std::string description() const = 0;
  // `cancelled` aborts calls and pauses between attempts within a second; it may be empty.
  virtual std::unique_ptr<Queue> queue(const std::string& name, CancelCheck cancelled) = 0;
  virtual std::unique_ptr<ObjectStore> store(CancelCheck cancelled) = 0;
  virtual std::unique_ptr<Table> table(const std::string& name, CancelCheck cancelled) = 0;
  // Makes what is missing; what is there stays as it is, but gets the dead-letter queue that is asked for.
  virtual void create(const Resources& wanted, CancelCheck cancelled) = 0;
  // Whether its raw bucket can announce new objects by itself (Resources::announce).
  virtual bool can_announce() const = 0;
};

}  // namespace ticket
