#include "ticket/aws/dynamodb.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "ticket/aws/answer.h"

namespace ticket::aws {

using flox::ErrorKind;
using nlohmann::ordered_json;

namespace {

nlohmann::json call_dynamodb(const Client& client, const std::string& operation,
                             const ordered_json& parameters) {
  std::string text =
      client.call_json("dynamodb", "DynamoDB_20120810." + operation,
                       parameters.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  return flox::in_context("DynamoDB " + operation, [&] { return parse_answer(text); });
}

std::string table_status(const Client& client, const std::string& name) {
  auto answer = call_dynamodb(client, "DescribeTable", {{"TableName", name}});
  auto table = answer.find("Table");
  if (table == answer.end() || !table->is_object()) return "";
  auto status = table->find("TableStatus");
  return status != table->end() && status->is_string() ? status->get<std::string>() : "";
}

}  // namespace

ordered_json to_attributes(const ordered_json& item) {
  ordered_json attributes = ordered_json::object();
  for (const auto& [name, value] : item.items())
    attributes[name] = value.is_string() ? ordered_json{{"S", value}} : ordered_json{{"N", value.dump()}};
  return attributes;
}

void DynamoTable::check() {
  flox::in_context("looking for the table " + name_, [&] { table_status(client_, name_); });
}

bool DynamoTable::put_if_absent(const ordered_json& item) {
  try {
    call_dynamodb(client_, "PutItem",
                  {{"TableName", name_},
                   {"Item", to_attributes(item)},
                   {"ConditionExpression", "attribute_not_exists(ticket_id)"}});
    return true;
  } catch (const flox::Error& error) {
    if (error.kind() == ErrorKind::conflict) return false;
    throw error.with_context("writing to the table " + name_);
  }
}

void create_ticket_table(const Client& client, const std::string& name) {
  flox::in_context("making the table " + name, [&] {
    auto key = [](const char* hash) {
      return ordered_json::array({{{"AttributeName", hash}, {"KeyType", "HASH"}},
                                  {{"AttributeName", "created_at"}, {"KeyType", "RANGE"}}});
    };
    ordered_json index = {{"IndexName", "urgency-index"},
                          {"KeySchema", key("urgency")},
                          {"Projection", {{"ProjectionType", "ALL"}}}};
    ordered_json table = {{"TableName", name},
                          {"AttributeDefinitions",
                           ordered_json::array({{{"AttributeName", "ticket_id"}, {"AttributeType", "S"}},
                                                {{"AttributeName", "created_at"}, {"AttributeType", "N"}},
                                                {{"AttributeName", "urgency"}, {"AttributeType", "S"}}})},
                          {"KeySchema", key("ticket_id")},
                          {"GlobalSecondaryIndexes", ordered_json::array({index})},
                          {"BillingMode", "PAY_PER_REQUEST"}};
    try {
      call_dynamodb(client, "CreateTable", table);
    } catch (const flox::Error& error) {
      if (error.kind() != ErrorKind::conflict) throw;
    }
    auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (table_status(client, name) != "ACTIVE") {
      if (std::chrono::steady_clock::now() > deadline)
        flox::fail(ErrorKind::unavailable, "not active after two minutes");
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
  });
}

}  // namespace ticket::aws
