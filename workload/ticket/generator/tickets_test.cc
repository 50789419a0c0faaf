#include "ticket/generator/tickets.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "ticket/generator/templates.h"

namespace ticket {
namespace {

TEST(TicketMaker, MakesTheSameTicketsFromTheSameSeed) {
  TicketMaker one(7), two(7), other(8);
  bool differs = false;
  for (int i = 0; i < 50; ++i) {
    std::string text = to_json(one.next(5)).dump();
    EXPECT_EQ(text, to_json(two.next(5)).dump());
    differs = differs || text != to_json(other.next(5)).dump();
  }
  EXPECT_TRUE(differs);
}

TEST(TicketMaker, MakesValidTicketsOfEveryCategoryWithIdsOfTheirOwn) {
  TicketMaker maker(1);
  std::set<std::string> ids, subjects, priorities;
  for (int i = 0; i < 500; ++i) {
    RawTicket ticket = parse_raw_ticket(to_json(maker.next(1732300000)).dump());
    EXPECT_EQ((ticket.subject + ticket.body).find_first_of("{}"), std::string::npos) << ticket.body;
    ids.insert(ticket.ticket_id);
    subjects.insert(ticket.subject);
    priorities.insert(ticket.priority.value_or("none"));
  }
  EXPECT_EQ(ids.size(), 500u);
  EXPECT_TRUE(ids.contains("DEMO-1-1"));
  EXPECT_GT(subjects.size(), 60u);
  EXPECT_EQ(priorities.size(), 5u);
}

TEST(Templates, CoverSixCategoriesAndAreLongEnoughForASummary) {
  std::set<std::string> categories;
  for (const Template& entry : templates()) {
    categories.insert(entry.category);
    std::istringstream words(entry.body);
    EXPECT_GE(std::distance(std::istream_iterator<std::string>(words), {}), 20) << entry.subject;
  }
  EXPECT_EQ(categories.size(), 6u);
  EXPECT_GE(templates().size(), 16u);
}

TEST(Templates, UseEveryPlaceholderThatHasValuesAndNoOther) {
  std::set<std::string> used, known;
  for (const Template& entry : templates())
    for (const std::string& text : {entry.subject, entry.body})
      for (size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open + 1))
        used.insert(text.substr(open + 1, text.find('}', open) - open - 1));
  for (const auto& [name, values] : placeholder_values()) {
    known.insert(name);
    EXPECT_GE(std::set(values.begin(), values.end()).size(), 3u) << name;
  }
  EXPECT_EQ(used, known);
  EXPECT_GE(known.size(), 28u);
}

}  // namespace
}  // namespace ticket
