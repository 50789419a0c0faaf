// A model's tokenizer files, whoever made them; and texts, whoever wrote them, for a tokenizer that was
// taken.
#include "ticket/model/tokenizer.h"

#include <algorithm>

#include "fuzz.h"
#include "ticket/model/byte_level_text.h"
#include "ticket/model/byte_pair.h"
#include "ticket/model/tokenizer_description.h"
#include "ticket/model/word_piece.h"

namespace flox::fuzz::of_tokenizer {

using namespace ticket::model;

namespace {

// For byte-pairs every byte needs a token, which no generated file would have.
void add_byte_tokens(TokenizerDescription& description) {
  for (int32_t id = 0; const std::string& symbol : byte_symbols())
    description.vocabulary.emplace_back(symbol, id++);
}

void try_out(TokenizerDescription description, std::string_view text) {
  const size_t specials = description.before.size() + description.after.size();
  text = text.substr(0, 64 << 10);  // under sanitizers a megabyte takes half a minute
  std::unique_ptr<Tokenizer> tokenizer;
  if (!accepts([&] {
        if (description.model == TokenizerDescription::Model::word_piece)
          tokenizer = std::make_unique<WordPieceTokenizer>(description);
        else
          tokenizer = std::make_unique<BytePairTokenizer>(description);
      }))
    return;
  const std::vector<int32_t> all = tokenizer->encode(text, specials + 4 * text.size() + 4);
  const std::vector<int32_t> some = tokenizer->encode(text, specials + 3);
  require(some.size() <= specials + 3, "there are no more ids than wanted");
  require(std::ranges::equal(std::span(some).first(some.size() - description.after.size()),
                             std::span(all).first(some.size() - description.after.size())),
          "a shorter list is the longer one cut off");
  require(std::ranges::all_of(all, [](int32_t id) { return id >= 0 && id <= max_token_id; }),
          "ids are within bounds");
  tokenizer->decode(all);
}

}  // namespace

// First byte: which kind of files. Then the files and a text, separated by zero bytes.
void one(std::string_view input) {
  const unsigned kind = take_byte(input) % 4;
  const std::string_view first = take_until(input, '\0'), second = take_until(input, '\0');
  TokenizerDescription description;
  switch (kind) {
    case 0:
      if (accepts([&] { description = parse_tokenizer_json(first); })) {
        if (!accepts([&] { apply_tokenizer_config(second, description); })) return;
        if (description.model == TokenizerDescription::Model::byte_pair) add_byte_tokens(description);
        try_out(std::move(description), input);
      }
      return;
    case 1:
      if (accepts([&] { description = parse_vocabulary_lines(first); }))
        try_out(std::move(description), input);
      return;
    case 2:
      if (!accepts([&] { description = parse_byte_pair_files(first, second); })) return;
      add_byte_tokens(description);
      try_out(std::move(description), input);
      return;
    default:  // a small vocabulary and any text
      description =
          parse_vocabulary_lines("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\n.\nabc\n\u6f22\n");
      try_out(std::move(description), first);
      description = parse_byte_pair_files(
          R"({"<s>":300,"<pad>":301,"</s>":302,"<unk>":303,"<mask>":304,"ab":305,"abc":306})",
          "#version: 0.2\na b\nab c\n");
      add_byte_tokens(description);
      try_out(std::move(description), first);
  }
}

}  // namespace flox::fuzz::of_tokenizer
