#include "ticket/model/tokenizer.h"

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/byte_pair.h"
#include "ticket/model/tokenizer_description.h"
#include "ticket/model/word_piece.h"

namespace ticket::model {

namespace fs = std::filesystem;
using flox::ErrorKind;

namespace {

constexpr uintmax_t max_file_size = 64 << 20;  // the largest known tokenizer.json has a third of that

bool has(const fs::path& file) { return fs::exists(file); }

std::string read(const fs::path& file) {
  if (uintmax_t size = fs::file_size(file); size > max_file_size)
    flox::fail(ErrorKind::invalid_input, "{} has {} bytes, more than any tokenizer needs ({})", file.string(),
               size, max_file_size);
  return flox::read_file(file);
}

TokenizerDescription describe(const fs::path& snapshot) {
  if (fs::path file = snapshot / "tokenizer.json"; has(file))
    return flox::in_context(file.string(), [&] { return parse_tokenizer_json(read(file)); });
  fs::path vocabulary = snapshot / "vocab.json", merges = snapshot / "merges.txt";
  if (has(vocabulary) && has(merges))
    return flox::in_context(snapshot.string(),
                            [&] { return parse_byte_pair_files(read(vocabulary), read(merges)); });
  if (fs::path file = snapshot / "vocab.txt"; has(file))
    return flox::in_context(file.string(), [&] { return parse_vocabulary_lines(read(file)); });
  throw flox::Error(
      ErrorKind::not_found,
      fmt::format(
          "{} has no tokenizer: neither tokenizer.json, nor vocab.json with merges.txt, nor vocab.txt",
          snapshot.string()),
      "The directory of a model's snapshot is wanted; ticket-processor preload-models fetches complete "
      "ones.");
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& snapshot) {
  return flox::in_context("loading a tokenizer", [&]() -> std::unique_ptr<Tokenizer> {
    TokenizerDescription description = describe(snapshot);
    if (fs::path file = snapshot / "tokenizer_config.json"; has(file))
      flox::in_context(file.string(), [&] { apply_tokenizer_config(read(file), description); });
    return flox::in_context(snapshot.string(), [&]() -> std::unique_ptr<Tokenizer> {
      if (description.model == TokenizerDescription::Model::word_piece)
        return std::make_unique<WordPieceTokenizer>(std::move(description));
      return std::make_unique<BytePairTokenizer>(std::move(description));
    });
  });
}

}  // namespace ticket::model
