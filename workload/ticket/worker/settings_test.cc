#include "ticket/worker/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ticket/testing/scoped_environment.h"

namespace ticket {
namespace {

TEST(Settings, AreTheGuidesByDefault) {
  ScopedEnvironment environment;
  Settings settings = Settings::from_environment();
  EXPECT_EQ(settings.queue, "ticket-processing-queue");
  EXPECT_EQ(settings.raw_bucket, "tickets-raw");
  EXPECT_EQ(settings.enriched_bucket, "tickets-enriched");
  EXPECT_EQ(settings.table, "tickets");
  EXPECT_EQ(settings.metrics_port, 8000);
  EXPECT_FALSE(settings.visibility);
}

TEST(Settings, TakeBothSpellingsAndTheGuidesFirst) {
  ScopedEnvironment environment;
  environment.set("S3_BUCKET_RAW", "old-raw");
  environment.set("S3_BUCKET_ENRICHED", "old-enriched");
  environment.set("DYNAMODB_TABLE", "old-table");
  Settings settings = Settings::from_environment();
  EXPECT_EQ(settings.raw_bucket + settings.enriched_bucket + settings.table, "old-rawold-enrichedold-table");
  environment.set("S3_RAW_BUCKET", "raw");
  environment.set("S3_ENRICHED_BUCKET", "enriched");
  environment.set("DYNAMODB_TABLE_NAME", "table");
  settings = Settings::from_environment();
  EXPECT_EQ(settings.raw_bucket + settings.enriched_bucket + settings.table, "rawenrichedtable");
}

TEST(Settings, NameTheVariableThatIsNoNumber) {
  for (const char* name :
       {"SQS_POLL_INTERVAL", "SQS_MAX_MESSAGES", "SQS_VISIBILITY_TIMEOUT", "METRICS_PORT"}) {
    for (const char* value : {"ten", "5s", "-1", "99999999", "1.5", "99999999999999999999"}) {
      ScopedEnvironment environment;
      environment.set(name, value);
      try {
        Settings::from_environment();
        ADD_FAILURE() << name << "=" << value;
      } catch (const flox::Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(name));
        EXPECT_THAT(error.what(), testing::HasSubstr(value));
      }
    }
  }
}

TEST(ModelCache, IsWhereTheVariableSays) {
  ScopedEnvironment environment;
  environment.set("MODEL_CACHE_DIR", "/some/where");
  EXPECT_EQ(model_cache_dir(), "/some/where");
}

}  // namespace
}  // namespace ticket
