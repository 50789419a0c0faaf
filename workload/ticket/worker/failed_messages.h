// Messages that could not be finished: in which order they are tried again, and where those are kept that
// never can be.
//
// A message can end the worker's process (a fault of ours, too little memory). Nobody reports that: all
// messages that were in hand come back when their visibility time-out passes, those beside it as often as it.
// So that it costs the others nothing for long,
//  1. messages that came back are tried one by one, after the new ones, and each is finished before the next
//     one is begun;
//  2. in a queue without a dead-letter queue, that a message was begun is written down before it is, and
//     removed when it ended in any way. What was begun twice and did not end is set aside unread at delivery
//     MAX_RECEIVES. (A queue with a dead-letter queue moves it by itself.)
#pragma once

#include <string>
#include <vector>

#include "ticket/backend/backend.h"

namespace ticket {

// The messages in the groups in which they are to be processed: the new ones together, then each that came
// back, those with the fewest deliveries first. Of equal ones the second delivery goes by their ids, the
// third in the opposite order, later ones mix them: of any two, each comes before the other once, so a
// message needs three deliveries at most to get past one that ends the worker. The pointers are into
// `messages`.
std::vector<std::vector<const Message*>> in_turn(const std::vector<Message>& messages);

// What is kept in a bucket below "failed/". Thread-safe if the store is.
class FailedMessages {
 public:
  // `store` must outlive it.
  FailedMessages(ObjectStore& store, std::string bucket) : store_(store), bucket_(std::move(bucket)) {}

  // Keeps the message with the reason; returns where: "s3://BUCKET/failed/ID.json". Throws flox::Error.
  std::string keep(const Message& message, const std::string& problem);

  // How often the message was begun and did not end. Throws flox::Error.
  int unfinished(const Message& message);
  // Writes down that it is begun once more, after `unfinished` times. Throws flox::Error.
  void begin(const Message& message, int unfinished);
  // It ended. Never throws: a record that stays only has a later death count for two.
  void end(const Message& message) noexcept;

 private:
  std::string begun_key(const Message& message) const;

  ObjectStore& store_;
  std::string bucket_;
};

}  // namespace ticket
