// Amazon DynamoDB over its JSON 1.0 protocol (version 2012-08-10).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ticket/aws/client.h"
#include "ticket/backend/backend.h"

namespace ticket::aws {

class DynamoTable : public Table {
 public:
  DynamoTable(Client client, std::string name) : client_(std::move(client)), name_(std::move(name)) {}

  void check() override;
  bool put_if_absent(const nlohmann::ordered_json& item) override;

 private:
  Client client_;
  std::string name_;
};

// {"a":"x","n":1} -> {"a":{"S":"x"},"n":{"N":"1"}}
nlohmann::ordered_json to_attributes(const nlohmann::ordered_json& item);

// Makes the table of tickets (ticket_id HASH, created_at RANGE; index urgency-index: urgency HASH, created_at
// RANGE; paid by request), or leaves the one that is there as it is. Returns when it can be used.
void create_ticket_table(const Client& client, const std::string& name);

}  // namespace ticket::aws
