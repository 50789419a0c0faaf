#include "ticket/worker/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "ticket/testing/scoped_environment.h"
#include "ticket/worker/model_loader.h"

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

TEST(Settings, LookAheadUnlessToldOtherwise) {
  ScopedEnvironment environment;
  EXPECT_TRUE(Settings::from_environment().look_ahead);
  environment.set("TICKET_LOOK_AHEAD", "False");
  environment.set("TICKET_BATCH_TICKETS", "32");
  environment.set("TICKET_BATCH_WAIT_MS", "50");
  const Settings settings = Settings::from_environment();
  EXPECT_FALSE(settings.look_ahead);
  EXPECT_EQ(settings.batch_tickets, 32);
  EXPECT_EQ(settings.batch_wait, std::chrono::milliseconds(50));
  environment.set("TICKET_LOOK_AHEAD", "maybe");
  EXPECT_THROW(Settings::from_environment(), flox::Error);
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

TEST(ModelSettings, GiveEncodersBytesWithTheSummariesUnlessToldOtherwise) {
  using model::Precision;
  struct Case {
    const char *summaries, *encoders;
    Precision expected_summaries, expected_encoders;
  };
  for (const Case& c : {Case{"", "", Precision::fp16_weights, Precision::fp32},
                        Case{"fp32", "", Precision::fp32, Precision::fp32},
                        Case{"int8", "", Precision::int8_weights, Precision::int8_weights},
                        Case{"int8", "fp32", Precision::int8_weights, Precision::fp32},
                        Case{"", "int8", Precision::fp16_weights, Precision::int8_weights}}) {
    ScopedEnvironment environment;
    environment.set("TICKET_PRECISION", c.summaries);
    environment.set("TICKET_ENCODER_PRECISION", c.encoders);
    const ModelSettings settings = ModelSettings::from_environment();
    EXPECT_EQ(settings.precision, c.expected_summaries) << c.summaries << "," << c.encoders;
    EXPECT_EQ(settings.encoder_precision, c.expected_encoders) << c.summaries << "," << c.encoders;
  }
}

TEST(ModelSettings, NameThePrecisionThatIsNone) {
  ScopedEnvironment environment;
  environment.set("TICKET_ENCODER_PRECISION", "int4");
  try {
    ModelSettings::from_environment();
    ADD_FAILURE();
  } catch (const flox::Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("TICKET_ENCODER_PRECISION"));
    EXPECT_THAT(error.what(), testing::HasSubstr("int4"));
  }
}

TEST(ModelCache, IsWhereTheVariableSays) {
  ScopedEnvironment environment;
  environment.set("MODEL_CACHE_DIR", "/some/where");
  EXPECT_EQ(model_cache_dir(), "/some/where");
}

}  // namespace
}  // namespace ticket
