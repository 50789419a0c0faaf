// Amazon SQS over its JSON 1.0 protocol.
#pragma once

#include "ticket/aws/client.h"
#include "ticket/backend/backend.h"

namespace ticket::aws {

class SqsQueue : public Queue {
 public:
  // Looks its URL up at first use.
  SqsQueue(Client client, std::string name) : client_(std::move(client)), name_(std::move(name)) {}

  QueueTraits traits() override;
  QueueDepth depth() override;
  std::vector<Message> receive(int most, std::chrono::seconds wait,
                               std::optional<std::chrono::seconds> visibility,
                               const std::function<bool()>& cancelled) override;
  void remove(const std::string& receipt) override;
  void set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) override;
  void send(const std::string& body) override;

 private:
  std::string url();
  nlohmann::json call(const std::string& operation, nlohmann::json parameters);

  Client client_;
  std::string name_;
  std::mutex mutex_;
  std::string url_;
};

// Makes a queue, or leaves the one that is there as it is. Returns its ARN.
struct NewQueue {
  std::string name;
  std::chrono::seconds visibility{300};
  std::string dead_letter_arn;     // empty: no redrive policy
  int max_receives = 5;            // of the redrive policy
  std::string writable_by_bucket;  // a bucket whose notifications the queue accepts; empty: none
};
std::string create_queue(const Client& client, const NewQueue& wanted);

}  // namespace ticket::aws
