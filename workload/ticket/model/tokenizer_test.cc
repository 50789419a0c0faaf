#include "ticket/model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/bert_text.h"
#include "ticket/model/byte_level_text.h"
#include "ticket/model/tokenizer_description.h"
#include "ticket/model/unicode_rules.h"
#include "ticket/testing/hostile_texts.h"

namespace ticket::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Ids = std::vector<int32_t>;

std::vector<std::string> bert_words(std::string_view text, BertTextRules rules = {}) {
  std::vector<std::string> words;
  for_each_bert_word(text, rules, [&](std::string_view word) {
    words.emplace_back(word);
    return true;
  });
  return words;
}

std::vector<std::string> byte_level_words(std::string_view text) {
  std::vector<std::string> words;
  for_each_byte_level_word(text, [&](std::string_view word) {
    words.emplace_back(word);
    return true;
  });
  return words;
}

std::string corrected(std::string_view text) {
  std::string buffer;
  return std::string(valid_utf8(text, buffer));
}

TEST(BertText, IsCleanedLoweredAndWithoutAccents) {
  EXPECT_THAT(bert_words("  Cafe\u0301 \u00c9COLE\tna\u00efve\n"), ElementsAre("cafe", "ecole", "naive"));
  EXPECT_THAT(bert_words("soft\u00adhyphen ze\u200bro nul"), ElementsAre("softhyphen", "zero", "nul"));
  EXPECT_THAT(bert_words("a\vb\fc\u00a0d\u3000e"), ElementsAre("abc", "d", "e"));
}

TEST(BertText, MakesPunctuationAndIdeographsWordsOfTheirOwn) {
  EXPECT_THAT(bert_words("can't, $5!"), ElementsAre("can", "'", "t", ",", "$", "5", "!"));
  EXPECT_THAT(bert_words("abc\u6f22\u5b57\u3002\u304b\u306a"),
              ElementsAre("abc", "\u6f22", "\u5b57", "\u3002", "\u304b\u306a"));
}

TEST(BertText, KeepsCaseAndAccentsIfItIsToldTo) {
  BertTextRules cased{.strip_accents = false, .lower_case = false};
  EXPECT_THAT(bert_words("\u00c9cole I\u0307", cased), ElementsAre("\u00c9cole", "I\u0307"));
  BertTextRules accented{.strip_accents = false};
  EXPECT_THAT(bert_words("\u0130", accented), ElementsAre("i\u0307"));
}

TEST(BertText, IsTheSameHoweverItFallsIntoPieces) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "wo\u0301rd ";
  EXPECT_EQ(bert_words(text).size(), 3000u);
  EXPECT_EQ(bert_words(std::string(10'000, 'x') + " y").size(), 2u);
}

// Marks that are no accents, so that their order shows: U+302E goes behind U+1D165.
TEST(BertText, HasMarksInTheirOrderHoweverManyThereAre) {
  const std::string late = "\u302e";
  const std::string early = "\U0001d165";
  for (size_t count : {1, 10, 60, 70, 1000}) {
    std::string text = "e\u0301";
    std::string expected = "e";
    for (size_t i = 0; i < count; ++i) text += late + "\u0344" + early;
    for (size_t i = 0; i < count; ++i) expected += early;
    for (size_t i = 0; i < count; ++i) expected += late;
    EXPECT_THAT(bert_words(text + "\uac00x"), ElementsAre(expected + "\u1100\u1161x")) << count;
  }
}

// In the time that ICU takes for them, which grows with the square, this test would not end.
TEST(BertText, IsNotHeldUpByMarksThatBelongBeforeAMillionOthers) {
  for (const auto& [early, late] : {std::pair<std::string, std::string>{"\u0327", "\u0301"},
                                    {"\u0f73", "\u0f73"},  // no mark itself, but made of two
                                    {"\U0001d165", "\u302e"}}) {
    std::string text = "a";
    for (int i = 0; i < 700'000; ++i) text += late;
    for (int i = 0; i < 700'000; ++i) text += early;
    const auto words = bert_words(text);
    ASSERT_EQ(words.size(), 1u);
    EXPECT_THAT(words[0], testing::StartsWith("a"));
  }
}

TEST(ByteLevelText, GivesABlankToTheWordAfterIt) {
  EXPECT_THAT(byte_level_words("it's  ok\n\nx 12ab !? "),
              ElementsAre("it", "'s", " ", " ok", "\n", "\n", "x", " 12", "ab", " !?", " "));
  EXPECT_THAT(byte_level_words("we'll 'twas ''s"), ElementsAre("we", "'ll", " '", "twas", " ''", "s"));
  EXPECT_THAT(byte_level_words(" \t "), ElementsAre(" \t "));
  EXPECT_THAT(byte_level_words(""), IsEmpty());
}

TEST(ByteLevelText, SpellsEveryByteAndReadsItBack) {
  for (size_t byte = 0; byte < 256; ++byte)
    EXPECT_EQ(bytes_of_token(byte_symbols()[byte]), std::string(1, static_cast<char>(byte)));
  EXPECT_EQ(byte_symbols()[' '], "\u0120");
  EXPECT_EQ(bytes_of_token("not \u0120"), "not \u0120");  // a blank is no symbol
}

TEST(InvalidUtf8, BecomesReplacementCharactersAsInPython) {
  EXPECT_EQ(corrected("plain \u00e9"), "plain \u00e9");
  EXPECT_EQ(corrected("a\xff"
                      "b"),
            "a\uFFFD"
            "b");
  EXPECT_EQ(corrected("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(corrected("\xf0\x9f\x98 x\xc3"), "\uFFFD x\uFFFD");
}

class TokenizerFiles : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view content) {
    flox::write_file(directory_.path() / name, content);
  }
  void write_word_pieces() {
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlog\n##in\n##s\nfails\n.\n,\nun\n##log\n");
  }
  // The 256 bytes have the ids 5 to 260.
  void write_byte_pairs() {
    nlohmann::json vocabulary = {{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}, {"<mask>", 4}};
    for (size_t byte = 0; byte < 256; ++byte) vocabulary[byte_symbols()[byte]] = 5 + byte;
    for (const char* token : {"th", "the", "\u0120the", "he"}) vocabulary[token] = vocabulary.size();
    write("vocab.json", vocabulary.dump());
    write("merges.txt", "#version: 0.2\nt h\nth e\n\u0120 the\nh e\n");
  }
  std::string message_of_loading() {
    try {
      load_tokenizer(directory_.path());
    } catch (const flox::Error& error) {
      return error.what();
    }
    return "loaded";
  }
  flox::TempDir directory_;
};

TEST_F(TokenizerFiles, WordPiecesAreTheLongestFromTheLeft) {
  write_word_pieces();
  auto tokenizer = load_tokenizer(directory_.path());
  EXPECT_EQ(tokenizer->encode("Login FAILS, unlogs nothing.", 64), (Ids{2, 5, 6, 8, 10, 11, 12, 7, 1, 9, 3}));
  EXPECT_EQ(tokenizer->encode("", 64), (Ids{2, 3}));
  EXPECT_EQ(tokenizer->decode(Ids{2, 5, 6, 8, 10, 999, -1, 11, 12, 9, 3}), "login fails, unlog.");
}

TEST_F(TokenizerFiles, TheEndOfTheTextGoesAndTheSpecialTokensStay) {
  write_word_pieces();
  auto tokenizer = load_tokenizer(directory_.path());
  EXPECT_EQ(tokenizer->encode("login login login", 5), (Ids{2, 5, 6, 5, 3}));
  EXPECT_EQ(tokenizer->encode("login", 2), (Ids{2, 3}));
}

TEST_F(TokenizerFiles, SpecialTokensInTheTextAreTheirIds) {
  write_word_pieces();
  auto tokenizer = load_tokenizer(directory_.path());
  EXPECT_EQ(tokenizer->encode("log[SEP]log [mask]", 64), (Ids{2, 5, 3, 5, 1, 1, 1, 3}));
}

TEST_F(TokenizerFiles, AWordOfMoreThanAHundredCharactersIsUnknown) {
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\n\u0436\n##\u0436\n");
  auto tokenizer = load_tokenizer(directory_.path());
  EXPECT_EQ(tokenizer->encode(std::string(100, 'a'), 512).size(), 102u);
  EXPECT_EQ(tokenizer->encode(std::string(101, 'a'), 512), (Ids{2, 1, 3}));
  std::string cyrillic;
  for (int i = 0; i < 100; ++i) cyrillic += "\u0436";
  EXPECT_EQ(tokenizer->encode(cyrillic, 512).size(), 102u);
}

TEST_F(TokenizerFiles, BytePairsAreMergedInTheOrderOfTheirRanks) {
  write_byte_pairs();
  auto tokenizer = load_tokenizer(directory_.path());
  // " the" is one token; in "he" only the last merge applies.
  EXPECT_EQ(tokenizer->encode("the the he", 64), (Ids{0, 262, 263, 5 + ' ', 264, 2}));
  EXPECT_EQ(tokenizer->decode(Ids{0, 262, 263, 5 + 0xc3, 2}), "the the\uFFFD");
  EXPECT_EQ(tokenizer->encode("\u00e9", 64), (Ids{0, 5 + 0xc3, 5 + 0xa9, 2}));
}

TEST_F(TokenizerFiles, TheMaskTakesTheBlanksBeforeItAlong) {
  write_byte_pairs();
  auto tokenizer = load_tokenizer(directory_.path());
  EXPECT_EQ(tokenizer->encode("the \u3000<mask> the", 64), (Ids{0, 262, 4, 263, 2}));
}

TEST_F(TokenizerFiles, ErrorsNameTheFileAndTheReason) {
  EXPECT_THAT(message_of_loading(), HasSubstr("has no tokenizer"));
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n");
  EXPECT_THAT(message_of_loading(), HasSubstr("vocab.txt: the vocabulary has no token \"[SEP]\""));
  write_byte_pairs();
  write("merges.txt", "#version: 0.2\nt h\nth\n");
  EXPECT_THAT(message_of_loading(), HasSubstr("merges.txt: line 3 is not a pair of tokens"));
  write("merges.txt", "t x\n");
  EXPECT_THAT(message_of_loading(),
              HasSubstr("merge 0 of \"t\" and \"x\": the vocabulary has no token \"tx\""));
  write("tokenizer.json", "{\"model\": {\"type\": \"Unigram\"}}");
  EXPECT_THAT(message_of_loading(),
              HasSubstr("tokenizer.json: a tokenizer of type Unigram is not known here"));
}

TEST_F(TokenizerFiles, NestingIsRefused) {
  for (const std::string& value : nested_values(1'000'000)) {
    for (const std::string& text :
         {value, R"({"model":{"vocab":)" + value + "}}", R"({"nobody reads":)" + value + "}"})
      EXPECT_THROW(parse_tokenizer_json(text), flox::Error);
    EXPECT_THROW(parse_byte_pair_files(value, ""), flox::Error);
    TokenizerDescription description;
    EXPECT_THROW(apply_tokenizer_config(value, description), flox::Error);
  }
}

TEST_F(TokenizerFiles, IdsOutOfBoundsAreRefused) {
  write("vocab.json", R"({"<s>": 4000000000})");
  write("merges.txt", "");
  EXPECT_THAT(message_of_loading(), HasSubstr("the id of token \"<s>\" is 4000000000"));
}

}  // namespace
}  // namespace ticket::model
