#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/pipeline/enriched_ticket.h"
#include "ticket/pipeline/raw_ticket.h"
#include "ticket/testing/hostile_texts.h"

namespace ticket {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using testing::AnyOf;
using testing::HasSubstr;

ordered_json enrich(const RawTicket& ticket, std::chrono::system_clock::time_point now) {
  return enriched_ticket(ticket, {}, now);
}

json good() {
  return {{"ticket_id", "T-1"},
          {"subject", "Cannot login"},
          {"body", "Getting an error"},
          {"created_at", 1732300000},
          {"customer_id", "C-1"}};
}

std::string problem_of(const std::string& text) {
  try {
    parse_raw_ticket(text);
  } catch (const flox::Error& error) {
    EXPECT_EQ(error.kind(), flox::ErrorKind::invalid_input);
    return error.what();
  }
  return "";
}
std::string problem_of(const json& document) { return problem_of(document.dump()); }

TEST(RawTicket, NeedsOnlyItsRequiredMembers) {
  RawTicket ticket = parse_raw_ticket(good().dump());
  EXPECT_EQ(ticket.created_at, 1732300000);
  EXPECT_FALSE(ticket.priority);
  EXPECT_EQ(ticket.metadata.source, "unknown");
  EXPECT_EQ(ticket.metadata.language, "en");
}

TEST(RawTicket, TakesANullPriorityForNone) {
  json document = good();
  document["priority"] = nullptr;
  EXPECT_FALSE(parse_raw_ticket(document.dump()).priority);
}

TEST(RawTicket, AcceptsWholeNumbersInOtherClothes) {
  json document = good();
  for (const json& value : {json("123"), json(123.0), json(123)}) {
    document["created_at"] = value;
    EXPECT_EQ(parse_raw_ticket(document.dump()).created_at, 123);
  }
  for (const json& value : {json("12a"), json(1.5), json(true), json(), json(1e300), json(UINT64_MAX)}) {
    document["created_at"] = value;
    EXPECT_THAT(problem_of(document), HasSubstr("created_at is not a whole number"));
  }
}

TEST(RawTicket, ReportsEverythingThatIsWrongAtOnce) {
  json document = good();
  document.erase("body");
  document["subject"] = 5;
  document["metadata"] = {{"tags", {1}}};
  std::string problem = problem_of(document);
  EXPECT_THAT(problem, HasSubstr("body is missing"));
  EXPECT_THAT(problem, HasSubstr("subject is number, not a string"));
  EXPECT_THAT(problem, HasSubstr("metadata.source is missing"));
  EXPECT_THAT(problem, HasSubstr("metadata.tags holds something that is not a string"));
}

TEST(RawTicket, SaysWhereTheJsonBreaks) {
  EXPECT_THAT(problem_of(std::string("{\"ticket_id\": ")),
              HasSubstr("not JSON that can be taken: ticket:1:15"));
  EXPECT_THAT(problem_of(std::string("\"\xff\"")), HasSubstr("UTF-8"));
  EXPECT_THAT(problem_of(json::array()), HasSubstr("not a JSON object but array"));
  json document = good();
  document["metadata"] = nullptr;
  EXPECT_THAT(problem_of(document), HasSubstr("metadata is not an object"));
}

std::string with_metadata(const std::string& value) {
  return R"({"ticket_id":"T","subject":"s","body":"b","created_at":1,"customer_id":"C","metadata":)" + value +
         "}";
}

TEST(RawTicket, RefusesNestingWhereverItIs) {
  for (const std::string& value : nested_values(100'000))
    for (const std::string& text :
         {value, with_metadata(value), with_metadata(R"({"source":"s","tags":)" + value + "}"),
          with_metadata(R"({"source":"s","language":)" + value + "}"), R"({"nobody reads":)" + value + "}"})
      EXPECT_THAT(problem_of(text),
                  AnyOf(HasSubstr("nested more than 64 levels deep"), HasSubstr("bytes are over")));
  EXPECT_EQ(problem_of(with_metadata(R"({"source":"s","tags":[],"more":)" + nested_values(60)[0] + "}")), "");
}

TEST(RawTicket, BoundsItsMembersTextsAndNumbers) {
  json document = good();
  document["subject"] = std::string(TicketLimits::subject + 1, 's');
  EXPECT_THAT(problem_of(document), HasSubstr("subject has 65537 bytes, more than 65536"));
  document = good();
  document["metadata"] = {{"source", "s"}, {"tags", std::vector<std::string>(TicketLimits::tags + 1, "t")}};
  EXPECT_THAT(problem_of(document), HasSubstr("metadata.tags has 1001 elements, more than 1000"));
  document["metadata"]["tags"] = {std::string(TicketLimits::name + 1, 't')};
  EXPECT_THAT(problem_of(document), HasSubstr("metadata.tags has one of more than 2048 bytes"));
  EXPECT_THAT(problem_of(with_metadata("[" + repeated("0,", TicketLimits::values) + "0]")),
              HasSubstr("members and elements"));
  EXPECT_THAT(problem_of(with_metadata("1e" + std::string(100'000, '9'))),
              HasSubstr("a number of more than"));
  EXPECT_THAT(problem_of(with_metadata("1e999")), HasSubstr("ticket:1:"));
  EXPECT_THAT(problem_of(std::string(TicketLimits::bytes + 1, ' ')), HasSubstr("over the limit"));
  EXPECT_THAT(problem_of(with_metadata(R"({"source":"\ud800"})")), HasSubstr("ticket:1:"));
  EXPECT_THAT(problem_of(with_metadata("{}").insert(1, R"("body":"other",)")),
              HasSubstr("'body' stands twice"));
}

// The most that a ticket may bring is far below what an item may have (DynamoDB: 400 kB).
TEST(RawTicket, LargestOneFitsIntoAnItem) {
  json document = good();
  document["ticket_id"] = std::string(512, 'i');
  document["subject"] = std::string(TicketLimits::subject, '\x01');
  document["customer_id"] = std::string(TicketLimits::name, 'c');
  ordered_json item = table_item(enrich(parse_raw_ticket(document.dump()), std::chrono::system_clock::now()));
  size_t bytes = 0;
  for (const auto& [name, value] : item.items())
    bytes += name.size() + (value.is_string() ? value.get<std::string>() : value.dump()).size();
  EXPECT_LT(bytes, 400'000u);
}

TEST(RawTicket, RefusesIdsThatWouldLeadObjectsAstray) {
  for (const char* id : {"", "../x", "a/./b", "failed/x", "a\nb"}) {
    json document = good();
    document["ticket_id"] = id;
    EXPECT_THAT(problem_of(document), HasSubstr("ticket_id")) << id;
  }
  EXPECT_FALSE(ticket_id_problem("2026/11/T 1 \u00e4"));
}

TEST(EnrichedTicket, HoldsWhatWasComputedAndNothingElse) {
  auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1732300001));
  ordered_json enriched = enrich(parse_raw_ticket(good().dump()), now + std::chrono::microseconds(42));
  std::vector<std::string> names, inner;
  for (const auto& [name, value] : enriched.items()) names.push_back(name);
  for (const auto& [name, value] : enriched["enrichment"].items()) inner.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("ticket_id", "subject", "body", "priority", "created_at",
                                          "customer_id", "metadata", "enrichment"));
  EXPECT_THAT(inner, testing::ElementsAre("intent", "intent_confidence", "urgency", "urgency_confidence",
                                          "processed_at", "model_version", "processor_version"));
  EXPECT_TRUE(enriched["priority"].is_null());
  EXPECT_EQ(enriched["enrichment"]["processed_at"], "2024-11-22T18:26:41.000042");
  EXPECT_EQ(enrich(parse_raw_ticket(good().dump()), now)["enrichment"]["processed_at"],
            "2024-11-22T18:26:41");
}

TEST(EnrichedTicket, BecomesAFlatItem) {
  ordered_json item = table_item(enrich(parse_raw_ticket(good().dump()), std::chrono::system_clock::now()));
  EXPECT_EQ(item["s3_key"], "T-1.json");
  EXPECT_EQ(item["created_at"], 1732300000);
  EXPECT_EQ(item["intent"], "login_issue");
  EXPECT_FALSE(item.contains("summary"));
}

TEST(EnrichedTicket, RecognisesAnObjectOfTheSameTicket) {
  RawTicket ticket = parse_raw_ticket(good().dump());
  ordered_json enriched = enrich(ticket, std::chrono::system_clock::now()), found;
  EXPECT_EQ(read_existing(object_text(enriched), ticket, found), Existing::same_ticket);
  EXPECT_EQ(found, enriched);
  RawTicket other = ticket;
  other.created_at = 5;
  EXPECT_EQ(read_existing(object_text(enriched), other, found), Existing::other_ticket);
  EXPECT_EQ(read_existing("{\"ticket_id\":", ticket, found), Existing::unreadable);
  EXPECT_EQ(read_existing("{\"ticket_id\":\"T-1\"}", ticket, found), Existing::unreadable);
  for (const std::string& value : nested_values(1'000'000))
    EXPECT_EQ(read_existing(R"({"ticket_id":"T-1","enrichment":)" + value + "}", ticket, found),
              Existing::unreadable);
}

}  // namespace
}  // namespace ticket
