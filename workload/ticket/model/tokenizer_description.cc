#include "ticket/model/tokenizer_description.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"

namespace ticket::model {

using flox::ErrorKind;
using flox::fail;
using nlohmann::json;

namespace {

// The largest known tokenizer.json has a third of these bytes, 256,000 tokens and twice as many merges, each
// a list of two.
constexpr flox::JsonLimits file_limits{.bytes = 64 << 20, .depth = 32, .values = 4 << 20};

json parse_object(std::string_view text) {
  json value = flox::parse_json(text, "JSON", file_limits);
  if (!value.is_object()) fail(ErrorKind::invalid_input, "not a JSON object");
  return value;
}

// A member that has to be there, of the type that T wants.
template <typename T>
T need(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) fail(ErrorKind::invalid_input, "no member \"{}\"", name);
  try {
    return object.at(name).get<T>();
  } catch (const json::exception&) {
    fail(ErrorKind::invalid_input, "member \"{}\" is of the wrong type: {}", name,
         object.at(name).type_name());
  }
}

// A member that may be missing or null.
template <typename T>
T value_or(const json& object, const char* name, T fallback) {
  if (!object.is_object() || !object.contains(name) || object.at(name).is_null()) return fallback;
  return need<T>(object, name);
}

const json& member(const json& object, const char* name) {
  static const json none;
  return object.is_object() && object.contains(name) ? object.at(name) : none;
}

std::string type_of(const json& object) { return value_or<std::string>(object, "type", "none"); }

int32_t checked_id(const json& value, std::string_view token) {
  if (!value.is_number_integer())
    fail(ErrorKind::invalid_input, "the id of token \"{}\" is not a whole number", token);
  if (value.is_number_unsigned() ? value.get<uint64_t>() > static_cast<uint64_t>(max_token_id)
                                 : value.get<int64_t>() < 0 || value.get<int64_t>() > max_token_id)
    fail(ErrorKind::invalid_input, "the id of token \"{}\" is {}, not within 0 and {}", token, value.dump(),
         max_token_id);
  return value.get<int32_t>();
}

void read_vocabulary(const json& object, TokenizerDescription& description) {
  if (!object.is_object() || object.empty())
    fail(ErrorKind::invalid_input, "the vocabulary is not an object with tokens");
  description.vocabulary.reserve(object.size());
  for (const auto& [token, id] : object.items())
    description.vocabulary.emplace_back(token, checked_id(id, token));
}

int32_t id_of(const TokenizerDescription& description, std::string_view token) {
  // The last one counts where a token is there twice.
  auto found = std::find_if(description.vocabulary.rbegin(), description.vocabulary.rend(),
                            [&](const auto& entry) { return entry.first == token; });
  if (found == description.vocabulary.rend())
    fail(ErrorKind::invalid_input, "the vocabulary has no token \"{}\"", token);
  return found->second;
}

void read_added_tokens(const json& list, TokenizerDescription& description) {
  if (list.is_null()) return;
  if (!list.is_array()) fail(ErrorKind::invalid_input, "\"added_tokens\" is not a list");
  for (const json& entry : list) {
    auto content = need<std::string>(entry, "content");
    if (content.empty()) fail(ErrorKind::invalid_input, "an added token is empty");
    AddedToken token{.content = content,
                     .id = checked_id(member(entry, "id"), content),
                     .takes_space_before = value_or(entry, "lstrip", false),
                     .takes_space_after = value_or(entry, "rstrip", false),
                     .special = value_or(entry, "special", false)};
    if (value_or(entry, "single_word", false))
      fail(ErrorKind::invalid_input, "added token \"{}\" is of a kind not known here: single_word", content);
    // Looked for in the normalised text. Byte-pairs have no normaliser, so there it is the same.
    if (value_or(entry, "normalized", false) && description.model == TokenizerDescription::Model::word_piece)
      fail(ErrorKind::invalid_input, "added token \"{}\" is of a kind not known here: normalized", content);
    description.added_tokens.push_back(std::move(token));
  }
}

// [CLS] text [SEP] in one of the three spellings.
void read_post_processor(const json& processor, TokenizerDescription& description) {
  std::string type = type_of(processor);
  auto pair_id = [&](const char* name) {  // ["[SEP]", 102]
    const json& pair = member(processor, name);
    if (!pair.is_array() || pair.size() != 2)
      fail(ErrorKind::invalid_input, "post-processor {} has no \"{}\": [token, id]", type, name);
    return checked_id(pair[1], name);
  };
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    description.before = {pair_id("cls")};
    description.after = {pair_id("sep")};
    return;
  }
  if (type != "TemplateProcessing")
    fail(ErrorKind::invalid_input, "post-processor {} is not known here", type);
  const json& single = member(processor, "single");
  if (!single.is_array()) fail(ErrorKind::invalid_input, "the post-processor has no list \"single\"");
  bool text_seen = false;
  for (const json& piece : single) {
    if (piece.is_object() && piece.contains("Sequence")) {
      if (std::exchange(text_seen, true))
        fail(ErrorKind::invalid_input, "the post-processor has the text twice");
      continue;
    }
    auto name = need<std::string>(member(piece, "SpecialToken"), "id");
    const json& ids = member(member(member(processor, "special_tokens"), name.c_str()), "ids");
    if (!ids.is_array())
      fail(ErrorKind::invalid_input, "the post-processor does not say the ids of \"{}\"", name);
    for (const json& id : ids)
      (text_seen ? description.after : description.before).push_back(checked_id(id, name));
  }
  if (!text_seen) fail(ErrorKind::invalid_input, "the post-processor leaves the text out");
}

void read_word_piece(const json& root, TokenizerDescription& description) {
  const json& model = root.at("model");
  description.unknown_token = value_or<std::string>(model, "unk_token", "[UNK]");
  description.continuing_prefix = value_or<std::string>(model, "continuing_subword_prefix", "##");
  auto longest = value_or<int64_t>(model, "max_input_chars_per_word", 100);
  if (longest < 1 || longest > 10'000)
    fail(ErrorKind::invalid_input, "max_input_chars_per_word is {}", longest);
  description.longest_word = static_cast<size_t>(longest);

  const json& normalizer = member(root, "normalizer");
  if (type_of(normalizer) != "BertNormalizer")
    fail(ErrorKind::invalid_input, "normalizer {} is not known here for WordPiece", type_of(normalizer));
  BertTextRules& text = description.text;
  text.clean = value_or(normalizer, "clean_text", true);
  text.split_ideographs = value_or(normalizer, "handle_chinese_chars", true);
  text.lower_case = value_or(normalizer, "lowercase", true);
  text.strip_accents = value_or(normalizer, "strip_accents", text.lower_case);
  if (type_of(member(root, "pre_tokenizer")) != "BertPreTokenizer")
    fail(ErrorKind::invalid_input, "pre-tokenizer {} is not known here for WordPiece",
         type_of(member(root, "pre_tokenizer")));
  description.join_punctuation = value_or(member(root, "decoder"), "cleanup", true);
  id_of(description, description.unknown_token);
}

void read_merges(const json& list, TokenizerDescription& description) {
  if (!list.is_array()) fail(ErrorKind::invalid_input, "\"merges\" is not a list");
  description.merges.reserve(list.size());
  for (const json& merge : list) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      description.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    const auto* text = merge.get_ptr<const std::string*>();
    size_t blank = text == nullptr ? std::string::npos : text->find(' ');
    if (blank == std::string::npos)
      fail(ErrorKind::invalid_input, "merge {} is not a pair of tokens", description.merges.size());
    description.merges.emplace_back(text->substr(0, blank), text->substr(blank + 1));
  }
}

void read_byte_pairs(const json& root, TokenizerDescription& description) {
  const json& model = root.at("model");
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!value_or<std::string>(model, name, "").empty())
      fail(ErrorKind::invalid_input, "byte-pairs with \"{}\" are not known here", name);
  for (const char* name : {"byte_fallback", "ignore_merges"})
    if (value_or(model, name, false))
      fail(ErrorKind::invalid_input, "byte-pairs with \"{}\" are not known here", name);
  if (!member(root, "normalizer").is_null())
    fail(ErrorKind::invalid_input, "normalizer {} is not known here for byte-pairs",
         type_of(member(root, "normalizer")));
  const json& pre_tokenizer = member(root, "pre_tokenizer");
  if (type_of(pre_tokenizer) != "ByteLevel" || !value_or(pre_tokenizer, "use_regex", true))
    fail(ErrorKind::invalid_input, "pre-tokenizer {} is not known here for byte-pairs",
         type_of(pre_tokenizer));
  description.add_prefix_space = value_or(pre_tokenizer, "add_prefix_space", true);
  read_merges(member(model, "merges"), description);
}

// The lines of a text without their ends; one that ends in no line feed counts too.
template <typename Line>
void for_each_line(std::string_view text, const Line& line) {
  for (size_t number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.ends_with('\r')) content.remove_suffix(1);
    line(number, content);
  }
}

}  // namespace

TokenizerDescription parse_tokenizer_json(std::string_view text) {
  const json root = parse_object(text);
  const json& model = member(root, "model");
  TokenizerDescription description;
  // Files of the first years name no type; what they have tells.
  std::string type = value_or<std::string>(
      model, "type", model.is_object() && model.contains("merges") ? "BPE" : "WordPiece");
  if (type != "WordPiece" && type != "BPE")
    fail(ErrorKind::invalid_input, "a tokenizer of type {} is not known here", type);
  description.model =
      type == "BPE" ? TokenizerDescription::Model::byte_pair : TokenizerDescription::Model::word_piece;
  read_vocabulary(member(model, "vocab"), description);
  read_added_tokens(member(root, "added_tokens"), description);
  read_post_processor(member(root, "post_processor"), description);
  type == "BPE" ? read_byte_pairs(root, description) : read_word_piece(root, description);
  return description;
}

TokenizerDescription parse_vocabulary_lines(std::string_view text) {
  TokenizerDescription description;
  for_each_line(text, [&](size_t number, std::string_view token) {
    if (number > static_cast<size_t>(max_token_id))
      fail(ErrorKind::invalid_input, "more than {} tokens", max_token_id);
    description.vocabulary.emplace_back(token, static_cast<int32_t>(number - 1));
  });
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    description.added_tokens.push_back({.content = token, .id = id_of(description, token)});
  description.before = {id_of(description, "[CLS]")};
  description.after = {id_of(description, "[SEP]")};
  return description;
}

TokenizerDescription parse_byte_pair_files(std::string_view vocabulary_json, std::string_view merges) {
  TokenizerDescription description;
  description.model = TokenizerDescription::Model::byte_pair;
  flox::in_context("vocab.json", [&] {
    read_vocabulary(parse_object(vocabulary_json), description);
    for (const char* token : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"})
      description.added_tokens.push_back({.content = token,
                                          .id = id_of(description, token),
                                          .takes_space_before = std::string_view(token) == "<mask>"});
    description.before = {id_of(description, "<s>")};
    description.after = {id_of(description, "</s>")};
  });
  for_each_line(merges, [&](size_t number, std::string_view line) {
    if (line.empty() || line.starts_with("#version")) return;
    size_t blank = line.find(' ');
    if (blank == std::string_view::npos || blank == 0 || blank + 1 == line.size())
      fail(ErrorKind::invalid_input, "merges.txt: line {} is not a pair of tokens", number);
    description.merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  });
  return description;
}

void apply_tokenizer_config(std::string_view text, TokenizerDescription& description) {
  const json config = parse_object(text);
  BertTextRules& rules = description.text;
  bool lower_case = value_or(config, "do_lower_case", rules.lower_case);
  // Unless it is said, accents go where case goes.
  bool strip_accents = lower_case == rules.lower_case ? rules.strip_accents : lower_case;
  rules.lower_case = lower_case;
  rules.strip_accents = value_or(config, "strip_accents", strip_accents);
  rules.split_ideographs = value_or(config, "tokenize_chinese_chars", rules.split_ideographs);
  description.add_prefix_space = value_or(config, "add_prefix_space", description.add_prefix_space);
  description.clean_up_spaces = value_or(config, "clean_up_tokenization_spaces", description.clean_up_spaces);
}

}  // namespace ticket::model
