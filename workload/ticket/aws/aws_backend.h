// SQS, S3 and DynamoDB, at AWS or at any endpoint that speaks like them.
#pragma once

#include "ticket/aws/client.h"
#include "ticket/backend/backend.h"

namespace ticket::aws {

class AwsBackend : public Backend {
 public:
  explicit AwsBackend(Config config) : client_(std::move(config)) {}

  std::string description() const override;
  std::unique_ptr<Queue> queue(const std::string& name, CancelCheck cancelled) override;
  std::unique_ptr<ObjectStore> store(CancelCheck cancelled) override;
  std::unique_ptr<Table> table(const std::string& name, CancelCheck cancelled) override;
  void create(const Resources& wanted, CancelCheck cancelled) override;
  bool can_announce() const override { return true; }

 private:
  Client client_;
};

}  // namespace ticket::aws
