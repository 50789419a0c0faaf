#include "ticket/pipeline/enricher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ticket/enrich/words.h"
#include "ticket/pipeline/enriched_ticket.h"
#include "ticket/testing/fake_models.h"

namespace ticket {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;

std::string words(size_t count) {
  std::string text = "word1";
  for (size_t i = 2; i <= count; ++i) text += " word" + std::to_string(i);
  return text;
}

RawTicket ticket(const std::string& subject, const std::string& body) {
  return {.ticket_id = "T",
          .subject = subject,
          .body = body,
          .priority = {},
          .created_at = 1,
          .customer_id = "C",
          .metadata = {}};
}

std::vector<std::string> names(const ordered_json& object) {
  std::vector<std::string> result;
  for (const auto& [name, value] : object.items()) result.push_back(name);
  return result;
}

class EnricherTest : public testing::Test {
 protected:
  ordered_json enrich(const RawTicket& ticket) { return Enricher(models_).enrich(ticket)["enrichment"]; }
  Models models_ = fake_models();
  FakeSentiment& sentiment_ = dynamic_cast<FakeSentiment&>(*models_.sentiment.model);
  FakeSummary& summary_ = dynamic_cast<FakeSummary&>(*models_.summary.model);
  FakeEmbedding& embedding_ = dynamic_cast<FakeEmbedding&>(*models_.embedding.model);
};

TEST_F(EnricherTest, FillsTheMembersInTheReferencesOrder) {
  ordered_json found = enrich(ticket("Cannot login", words(30)));
  EXPECT_THAT(names(found), ElementsAre("embedding", "intent", "intent_confidence", "urgency",
                                        "urgency_confidence", "sentiment", "sentiment_confidence", "summary",
                                        "processed_at", "model_version", "processor_version"));
  EXPECT_EQ(found["embedding"].size(), 4u);
  EXPECT_EQ(found["embedding"][1].dump(), "0.10000000149011612") << "a float, as Python widens and prints it";
  EXPECT_EQ(found["summary"], "About Cannot.");
  EXPECT_EQ(found["model_version"], "rules-1 embedding@1 sentiment@2 summary@3");
  EXPECT_THAT(embedding_.calls.texts, ElementsAre("Cannot login. " + words(30)));
}

TEST_F(EnricherTest, NamesTheMissingModelsAndInventsNothing) {
  models_.embedding.model = nullptr;
  models_.summary.model = nullptr;
  ordered_json enriched = Enricher(models_).enrich(ticket("Cannot login", words(30)));
  EXPECT_THAT(names(enriched["enrichment"]),
              ElementsAre("intent", "intent_confidence", "urgency", "urgency_confidence", "sentiment",
                          "sentiment_confidence", "processed_at", "model_version", "processor_version",
                          "missing_models"));
  EXPECT_EQ(enriched["enrichment"]["missing_models"],
            ordered_json({"sentence-transformers/all-MiniLM-L6-v2", "sshleifer/distilbart-cnn-6-6"}));
  EXPECT_EQ(enriched["enrichment"]["model_version"], "rules-1 sentiment@2");
  EXPECT_EQ(table_item(enriched)["missing_models"],
            "sentence-transformers/all-MiniLM-L6-v2,sshleifer/distilbart-cnn-6-6");
}

TEST_F(EnricherTest, AnswersForBlankTextsByRule) {
  ordered_json found = enrich(ticket("", " \n\t\u00a0"));
  EXPECT_EQ(found["embedding"], ordered_json({0.0, 0.0, 0.0, 0.0}));
  EXPECT_EQ(found["sentiment"], "NEUTRAL");
  EXPECT_EQ(found["sentiment_confidence"], 0.5);
  EXPECT_EQ(enrich(ticket("", ""))["summary"], "");
  EXPECT_TRUE(embedding_.calls.texts.empty() && sentiment_.calls.texts.empty() &&
              summary_.calls.texts.empty());
  // Two blank texts are joined by a full stop, and that is a text.
  EXPECT_EQ(enrich(ticket(" ", " "))["sentiment"], "NEGATIVE");
}

TEST_F(EnricherTest, CallsADoubtfulSentimentNeutral) {
  for (auto [confidence, label] : {std::pair{0.54, "NEUTRAL"}, {0.55, "NEUTRAL"}, {0.56, "NEGATIVE"}}) {
    sentiment_.confidence = confidence;
    ordered_json found = enrich(ticket("a", "b"));
    EXPECT_EQ(found["sentiment"], label) << confidence;
    EXPECT_EQ(found["sentiment_confidence"], label == std::string("NEUTRAL") ? 0.5 : confidence);
  }
}

TEST_F(EnricherTest, CutsLongTextsByWords) {
  enrich(ticket("", words(401) + "\n\ntail"));
  EXPECT_THAT(sentiment_.calls.texts, ElementsAre(words(400)));
  enrich(ticket("", words(700)));
  enrich(ticket("", words(701)));
  EXPECT_THAT(summary_.calls.texts, ElementsAre(words(401) + "\n\ntail", words(700), words(700)));
}

TEST_F(EnricherTest, SummarisesShortTicketsByTheirSubject) {
  EXPECT_EQ(enrich(ticket("S", ""))["summary"], "S");
  EXPECT_EQ(enrich(ticket("S", words(19)))["summary"], "S");
  EXPECT_EQ(enrich(ticket("", std::string(60, 'x') + " " + std::string(60, 'y')))["summary"],
            std::string(60, 'x') + " " + std::string(39, 'y'));
  EXPECT_TRUE(summary_.calls.texts.empty());
  EXPECT_EQ(enrich(ticket("S", words(20)))["summary"], "About S.");
}

TEST_F(EnricherTest, LetsARuleStandInForAModelThatFailsAndSaysSo) {
  models_.embedding.model = nullptr;
  std::vector<std::string> heard;
  Enricher enricher(models_, {.fell_back = [&](const RawTicket&, const char* field, const flox::Error&) {
                      heard.emplace_back(field);
                    }});
  auto results = enricher.enrich(
      {ticket("good", words(20)), ticket("bad " + std::string(200, 's'), words(20) + "[unreadable]")});
  EXPECT_EQ(results[0].enriched["enrichment"]["summary"], "About good.");
  EXPECT_FALSE(results[0].enriched["enrichment"].contains("fallbacks"));
  const ordered_json& bad = results[1].enriched["enrichment"];
  EXPECT_EQ(bad["summary"], "bad " + std::string(96, 's'));
  EXPECT_EQ(bad["sentiment"], "NEUTRAL");
  EXPECT_EQ(bad["fallbacks"], ordered_json({"sentiment", "summary"}));
  EXPECT_THAT(heard, ElementsAre("sentiment", "summary"));
}

TEST_F(EnricherTest, FailsATicketWithoutAnEmbeddingAndNoOther) {
  auto results = Enricher(models_).enrich({ticket("a", "[unreadable]"), ticket("b", "")});
  ASSERT_TRUE(results[0].error);
  EXPECT_THAT(results[0].error->what(), testing::HasSubstr("embedding"));
  EXPECT_FALSE(results[1].error);
  EXPECT_EQ(results[1].enriched["subject"], "b");
}

TEST_F(EnricherTest, StopsBetweenModelsWhenItIsCutOff) {
  int asked = 0;
  Enricher enricher(models_, {.cancelled = [&] { return ++asked > 1; }});
  EXPECT_THROW(enricher.enrich(ticket("a", "b")), flox::Error);
  EXPECT_EQ(embedding_.calls.texts.size(), 1u);
  EXPECT_TRUE(sentiment_.calls.texts.empty());
}

TEST(Words, AreCountedAndCutAsPythonDoes) {
  EXPECT_EQ(word_count(" a\u2003b\n\nc\x1f"
                       "d "),
            4u);
  EXPECT_EQ(word_count(" \u3000"), 0u);
  EXPECT_EQ(first_words("  a  b ", 2), "  a  b ");
  EXPECT_EQ(first_words("  a  b \t c", 2), "a b");
  EXPECT_EQ(stripped("\u00a0 a b \n"), "a b");
  EXPECT_EQ(first_characters("äöü", 2), "äö");
  EXPECT_EQ(first_characters("\xff\xfe"
                             "a",
                             2),
            "\xff\xfe");
  EXPECT_TRUE(is_blank(""));
}

}  // namespace
}  // namespace ticket
