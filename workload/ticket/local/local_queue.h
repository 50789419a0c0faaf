// A queue as rows of the local backend's database, with SQS's rules: visibility time-outs, receive counts, a
// dead-letter queue, long polls, receipts that are good for one delivery.
#pragma once

#include "ticket/backend/backend.h"
#include "ticket/local/database.h"

namespace ticket::local {

class LocalQueue : public Queue {
 public:
  LocalQueue(std::shared_ptr<Database> database, std::string name, CancelCheck cancelled)
      : database_(std::move(database)), name_(std::move(name)), cancelled_(std::move(cancelled)) {}

  QueueTraits traits() override;
  QueueDepth depth() override;
  std::vector<Message> receive(int most, std::chrono::seconds wait,
                               std::optional<std::chrono::seconds> visibility,
                               const CancelCheck& cancelled) override;
  void remove(const std::string& receipt) override;
  void set_visibility(const std::vector<std::string>& receipts, std::chrono::seconds time) override;
  void send(const std::string& body) override;

 private:
  struct Row;
  Row row(Database::Use& use);
  bool something_is_visible();
  std::vector<Message> take(int most, std::optional<std::chrono::seconds> visibility);

  std::shared_ptr<Database> database_;
  std::string name_;
  CancelCheck cancelled_;
};

// Makes the queue unless there is one, and sets the redrive policy of either if one is asked for.
void create_queue(Database& database, const Resources& wanted);

}  // namespace ticket::local
