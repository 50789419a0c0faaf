#include "ticket/worker/settings.h"

#include <unistd.h>

#include "base/os/private_directory.h"
#include "ticket/environment.h"

namespace ticket {

Settings Settings::from_environment() {
  Settings settings;
  settings.queue = environment_or({"SQS_QUEUE_NAME"}, settings.queue);
  settings.raw_bucket = environment_or({"S3_RAW_BUCKET", "S3_BUCKET_RAW"}, settings.raw_bucket);
  settings.enriched_bucket =
      environment_or({"S3_ENRICHED_BUCKET", "S3_BUCKET_ENRICHED"}, settings.enriched_bucket);
  settings.table = environment_or({"DYNAMODB_TABLE_NAME", "DYNAMODB_TABLE"}, settings.table);
  auto seconds = [](const char* name, long low, long high, std::chrono::seconds fallback) {
    return std::chrono::seconds(environment_number(name, low, high).value_or(fallback.count()));
  };
  settings.poll_wait = seconds("SQS_POLL_INTERVAL", 0, 20, settings.poll_wait);
  settings.max_messages =
      static_cast<int>(environment_number("SQS_MAX_MESSAGES", 1, 10).value_or(settings.max_messages));
  settings.look_ahead = environment_switch("TICKET_LOOK_AHEAD", settings.look_ahead);
  settings.batch_tickets = static_cast<size_t>(
      environment_number("TICKET_BATCH_TICKETS", 1, 128).value_or(static_cast<long>(settings.batch_tickets)));
  settings.batch_wait = std::chrono::milliseconds(
      environment_number("TICKET_BATCH_WAIT_MS", 0, 60000).value_or(settings.batch_wait.count()));
  if (auto given = environment_number("SQS_VISIBILITY_TIMEOUT", 1, 43200))
    settings.visibility = std::chrono::seconds(*given);
  settings.retry_delay = seconds("RETRY_DELAY_SECONDS", 0, 900, settings.retry_delay);
  settings.max_receives =
      static_cast<int>(environment_number("MAX_RECEIVES", 1, 1000).value_or(settings.max_receives));
  settings.grace = seconds("SHUTDOWN_GRACE_SECONDS", 0, 3600, settings.grace);
  settings.start_wait = seconds("START_WAIT_SECONDS", 0, 86400, settings.start_wait);
  settings.metrics_port =
      static_cast<uint16_t>(environment_number("METRICS_PORT", 0, 65535).value_or(settings.metrics_port));
  return settings;
}

std::filesystem::path model_cache_dir() {
  if (auto given = environment("MODEL_CACHE_DIR")) return *given;
  const std::filesystem::path mounted = "/cache/models";
  std::error_code ignored;
  if (std::filesystem::is_directory(mounted, ignored) && access(mounted.c_str(), W_OK | X_OK) == 0)
    return mounted;
  if (auto home = environment("HOME")) return std::filesystem::path(*home) / ".cache/models";
  return flox::user_cache_directory("models");  // below /tmp, where anybody could have made one first
}

}  // namespace ticket
