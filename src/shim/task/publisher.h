// Sends events to containerd, one after the other in the order in which they were published, and keeps them
// while containerd is away.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "shim/process/waiting.h"
#include "shim/protocol/task.pb.h"
#include "ttrpc/client.h"

namespace flox::shim {

class Publisher {
 public:
  // `address`: containerd's ttrpc socket; empty: events are dropped.
  Publisher(Executor executor, const std::string& address, std::string namespace_name);

  // Queues "/tasks/exit" with a message of type "containerd.events.TaskExit". Never fails. Beyond 2048 queued
  // events the oldest are dropped.
  template <typename Message>
  void publish(const char* topic, const char* type, const Message& message) {
    enqueue(topic, type, message.SerializeAsString());
  }

  // Waits until all is sent, at most so long.
  asio::awaitable<void> flush(Milliseconds limit);

 private:
  void enqueue(const char* topic, const char* type, std::string bytes);
  asio::awaitable<void> send_all();

  Executor executor_;
  std::unique_ptr<ttrpc::Client> client_;
  std::string namespace_;
  std::deque<wire::ForwardRequest> queue_;
  std::shared_ptr<Event> drained_;  // set while nothing is queued or under way
};

}  // namespace flox::shim
