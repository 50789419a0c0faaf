// What docs/formats/ticket.md shows is read by this code.
#include <gtest/gtest.h>

#include "testing/format_page.h"
#include "ticket/pipeline/raw_ticket.h"
#include "ticket/worker/notification.h"

namespace ticket {
namespace {

TEST(TicketPage, ShowsANotification) {
  const Notification notification =
      parse_notification(flox::format_example("ticket.md", "notification"), "other");
  ASSERT_EQ(notification.records.size(), 1);
  EXPECT_EQ(notification.records[0].bucket, "tickets-raw");
  EXPECT_EQ(notification.records[0].key, "a+b c.json");
}

TEST(TicketPage, ShowsATicket) {
  const RawTicket ticket = parse_raw_ticket(flox::format_example("ticket.md", "ticket"));
  EXPECT_EQ(ticket.ticket_id, "T-1");
  EXPECT_EQ(ticket.created_at, 1732060800);
  EXPECT_FALSE(ticket.priority);
  EXPECT_EQ(ticket.metadata.source, "email");
  EXPECT_EQ(ticket.metadata.language, "en");
  EXPECT_EQ(ticket.metadata.tags, std::vector<std::string>{"login"});
}

}  // namespace
}  // namespace ticket
