// The worker's settings, all from environment variables. Where the guide and the original program spell a
// variable differently, both are read, the guide's first.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

namespace ticket {

struct Settings {
  std::string queue = "ticket-processing-queue";     // SQS_QUEUE_NAME
  std::string raw_bucket = "tickets-raw";            // S3_RAW_BUCKET, S3_BUCKET_RAW
  std::string enriched_bucket = "tickets-enriched";  // S3_ENRICHED_BUCKET, S3_BUCKET_ENRICHED
  std::string table = "tickets";                     // DYNAMODB_TABLE_NAME, DYNAMODB_TABLE
  std::chrono::seconds poll_wait{20};                // SQS_POLL_INTERVAL, 0 to 20: of one long poll
  int max_messages = 10;                             // SQS_MAX_MESSAGES, 1 to 10: of one poll
  bool look_ahead = true;                   // TICKET_LOOK_AHEAD: fetch and store while the models compute
  size_t batch_tickets = 10;                // TICKET_BATCH_TICKETS, 1 to 128: through the models together
  std::chrono::milliseconds batch_wait{0};  // TICKET_BATCH_WAIT_MS, 0 to 60000: that a ticket waits for
                                            // others while the models have nothing to do
  std::optional<std::chrono::seconds>
      visibility;                        // SQS_VISIBILITY_TIMEOUT, 1 to 43200; otherwise the queue's
  std::chrono::seconds retry_delay{5};   // RETRY_DELAY_SECONDS: before the second delivery of a message
                                         // that failed; doubles with each one, 15 minutes at most
  int max_receives = 5;                  // MAX_RECEIVES: deliveries of a message that cannot be
                                         // processed until it is moved aside (queue without DLQ)
  std::chrono::seconds grace{20};        // SHUTDOWN_GRACE_SECONDS: to finish what is in hand
  std::chrono::seconds start_wait{300};  // START_WAIT_SECONDS: for queue, buckets and table to appear
  uint16_t metrics_port = 8000;          // METRICS_PORT; 0: the system chooses

  // Throws flox::Error(invalid_input) naming the variable that is wrong.
  static Settings from_environment();
};

// Where models are kept: MODEL_CACHE_DIR; otherwise /cache/models if it is a writable directory (the guide's
// preloader Job mounts its volume there without saying so); otherwise ~/.cache/models.
std::filesystem::path model_cache_dir();

}  // namespace ticket
