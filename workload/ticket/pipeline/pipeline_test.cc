#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ticket/pipeline/enriched_ticket.h"
#include "ticket/pipeline/raw_ticket.h"

namespace ticket {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
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
  EXPECT_THAT(problem_of(std::string("{\"ticket_id\": ")), HasSubstr("line 1"));
  EXPECT_THAT(problem_of(std::string("\"\xff\"")), HasSubstr("not JSON in UTF-8"));
  EXPECT_THAT(problem_of(json::array()), HasSubstr("not a JSON object but array"));
  json document = good();
  document["metadata"] = nullptr;
  EXPECT_THAT(problem_of(document), HasSubstr("metadata is not an object"));
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
}

}  // namespace
}  // namespace ticket
