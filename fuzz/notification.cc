// Messages of the workload's queue.
#include "ticket/worker/notification.h"

#include "fuzz.h"

namespace flox::fuzz::of_notification {

void one(std::string_view input) {
  ticket::Notification notification;
  if (!accepts([&] { notification = ticket::parse_notification(input, "default"); })) return;
  require(notification.records.empty() != notification.ignored.empty(),
          "there are records, or a reason for none");
  for (const auto& record : notification.records) {
    require(!record.problem.empty() || !record.key.empty(), "a good record names an object");
    if (!record.problem.empty()) continue;
    ticket::Notification sent;
    if (!accepts(
            [&] { sent = ticket::parse_notification(ticket::s3_event(record.bucket, record.key, 1), ""); }))
      require(false, "a message that we send is one that we read");
    require(sent.records.size() == 1 && sent.records[0].key == record.key, "a key survives being sent");
  }
}

}  // namespace flox::fuzz::of_notification
