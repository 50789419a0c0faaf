#include <gtest/gtest.h>

#include "ticket/enrich/intent.h"
#include "ticket/enrich/keywords.h"
#include "ticket/enrich/urgency.h"

namespace ticket {
namespace {

struct Example {
  const char* subject;
  const char* body;
  const char* intent;
  double confidence;
  const char* urgency;
  double urgency_confidence;
};

// Computed with the reference's tables (docs/formats/ticket.md).
TEST(Rules, AgreeWithTheReferencesExamples) {
  const Example examples[] = {
      {"Cannot login", "Getting authentication error when trying to access my account", "login_issue",
       2.0 / 3, "high", 0.8},
      {"Payment failed", "My credit card was declined but money was charged. Need refund!", "payment_issue",
       1.0, "medium", 0.6},
      {"Feature suggestion", "Would love to see dark mode added. Nice to have enhancement.",
       "feature_request", 1.0, "low", 0.7},
      {"Important issue", "This is a problem that needs help soon.", "bug_report", 2.0 / 3, "high", 0.8},
      {"Question", "I have a question about features", "general_inquiry", 0.5, "medium", 0.7}};
  for (const Example& example : examples) {
    Intent intent = classify_intent(example.subject, example.body);
    EXPECT_EQ(intent.name, example.intent) << example.subject;
    EXPECT_DOUBLE_EQ(intent.confidence, example.confidence) << example.subject;
    Urgency urgency = classify_urgency(std::nullopt, example.subject, example.body);
    EXPECT_EQ(urgency.level, example.urgency) << example.subject;
    EXPECT_DOUBLE_EQ(urgency.confidence, example.urgency_confidence) << example.subject;
  }
}

TEST(Rules, GiveBlankTextNoIntentAndMediumUrgency) {
  EXPECT_DOUBLE_EQ(classify_intent("", " \t\u00a0").confidence, 0.0);
  EXPECT_EQ(classify_intent("", "").name, "general_inquiry");
  EXPECT_EQ(classify_urgency(std::nullopt, "", "  ").level, "medium");
  EXPECT_DOUBLE_EQ(classify_urgency(std::nullopt, "", "").confidence, 0.6);
}

TEST(Rules, CountAKeywordInsideALongerOneAsWell) {
  // "data" and "personal data" hit, "password reset" is one hit each for login and account: ties go to the
  // earlier.
  EXPECT_DOUBLE_EQ(classify_intent("personal data", "").confidence, 2.0 / 3);
  EXPECT_EQ(classify_intent("password reset", "").name, "login_issue");
}

TEST(Urgency, FollowsAStatedPriorityInAnyCase) {
  EXPECT_EQ(classify_urgency("CRITICAL", "minor thing", "").level, "critical");
  EXPECT_DOUBLE_EQ(classify_urgency("Low", "outage", "").confidence, 1.0);
}

TEST(Urgency, LeavesNullAndUnknownPrioritiesToTheKeywords) {
  EXPECT_EQ(classify_urgency(std::nullopt, "outage", "").level, "critical");
  EXPECT_EQ(classify_urgency("P1", "outage", "").level, "critical");
  EXPECT_EQ(classify_urgency("", "a minor thing", "").level, "low");
}

TEST(Keywords, MatchWholeWordsOnly) {
  EXPECT_EQ(KeywordText("It crashes").count("crash"), 0);
  EXPECT_EQ(KeywordText("Crash! crash_log crash, (CRASH)").count("crash"), 3);
  EXPECT_EQ(KeywordText("error error").count("error"), 2);
  EXPECT_EQ(KeywordText("api").count("api"), 1);
}

TEST(Keywords, TakeLettersAndDigitsOfAnyScriptForPartsOfWords) {
  EXPECT_EQ(KeywordText("\u00e4api api\u00e9 api\u0665 \U00020000api").count("api"), 0);
  EXPECT_EQ(KeywordText("\u00abapi\u00bb \U0001F600api\U0001F600").count("api"), 2);
}

TEST(Keywords, KnowOnlyTheAsciiApostrophe) {
  EXPECT_EQ(KeywordText("I CAN'T").count("can't"), 1);
  EXPECT_EQ(KeywordText("I can\u2019t").count("can't"), 0);
}

TEST(Keywords, LowerCaseBeyondAscii) {
  // The Kelvin sign is a capital of "k".
  EXPECT_EQ(KeywordText("HAC\u212A").count("hack"), 1);
}

TEST(Keywords, SurviveBytesThatAreNotUtf8) { EXPECT_EQ(KeywordText("\xff api \xc3").count("api"), 1); }

}  // namespace
}  // namespace ticket
