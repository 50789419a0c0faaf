#include "ticket/model/model_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/file.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;
using nlohmann::json;

constexpr size_t max_size = 1 << 24;  // of anything that config.json counts
constexpr size_t head_multiple = 16;  // what the kernels' vectors need

constexpr flox::JsonLimits config_limits{.bytes = 4 << 20, .depth = 16, .values = 1 << 16};

// A JSON object in a file, whose members are asked for by name.
class Settings {
 public:
  explicit Settings(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code error;
    if (auto size = std::filesystem::file_size(path_, error); !error && size > config_limits.bytes)
      wrong("has {} bytes, more than {}", size, config_limits.bytes);
    object_ = flox::parse_json(flox::read_file(path_), path_.string(), config_limits);
    if (!object_.is_object()) flox::fail(ErrorKind::invalid_input, "{} is not a JSON object", path_.string());
  }

  // Members of the inner object take the place of those of the same name outside: how config.json says what
  // holds for one task only.
  void overlay_task(const Settings& config) {
    const json* tasks = config.find("task_specific_params");
    if (!tasks || !tasks->is_object()) return;
    auto task = tasks->find("summarization");
    if (task != tasks->end() && task->is_object()) object_.update(*task);
  }

  const json* find(const char* name) const {
    auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  size_t size(const char* name) const {
    const json* value = find(name);
    if (!value) wrong("has no {}", name);
    if (!value->is_number_unsigned() || value->get<size_t>() == 0 || value->get<size_t>() > max_size)
      wrong("says that {} is {}, not a number from 1 to {}", name, value->dump(), max_size);
    return value->get<size_t>();
  }
  size_t size(const char* name, size_t otherwise) const {
    const json* value = find(name);
    return !value || *value == 0 ? otherwise : size(name);
  }

  double number(const char* name, double otherwise) const {
    const json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_number() || !std::isfinite(value->get<double>()))
      wrong("says that {} is {}, not a number", name, value->dump());
    return value->get<double>();
  }

  bool flag(const char* name, bool otherwise) const {
    const json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_boolean()) wrong("says that {} is {}, neither true nor false", name, value->dump());
    return value->get<bool>();
  }

  std::string text(const char* name, const std::string& otherwise) const {
    const json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_string()) wrong("says that {} is {}, not text", name, value->dump());
    return value->get<std::string>();
  }

  std::optional<int32_t> token(const char* name) const {
    const json* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_number_unsigned() || value->get<size_t>() > max_size)
      wrong("says that {} is {}, not one token", name, value->dump());
    return value->get<int32_t>();
  }

  void expect(const char* name, const json& only) const {
    const json* value = find(name);
    if (value && *value != only)
      wrong("says that {} is {}; only {} is supported", name, value->dump(), only.dump());
  }

  template <typename... Args>
  [[noreturn]] void wrong(fmt::format_string<Args...> format, Args&&... args) const {
    flox::fail(ErrorKind::invalid_input, "{} {}", path_.string(),
               fmt::format(format, std::forward<Args>(args)...));
  }

  void expect_heads(size_t hidden, size_t heads) const {
    if (hidden % heads != 0 || hidden / heads % head_multiple != 0)
      wrong("divides {} into {} heads; heads must be of one size, a multiple of {}", hidden, heads,
            head_multiple);
  }

 private:
  std::filesystem::path path_;
  json object_;
};

std::vector<std::string> read_labels(const Settings& settings) {
  const json* map = settings.find("id2label");
  if (!map) return {"LABEL_0", "LABEL_1"};
  if (!map->is_object() || map->empty()) settings.wrong("has an id2label without labels");
  std::vector<std::string> labels(map->size());
  for (size_t i = 0; i < labels.size(); ++i) {
    auto found = map->find(std::to_string(i));
    if (found == map->end() || !found->is_string()) settings.wrong("names no label {} in id2label", i);
    labels[i] = found->get<std::string>();
  }
  return labels;
}

}  // namespace

EncoderConfig read_bert_config(const std::filesystem::path& directory) {
  const Settings settings(directory / "config.json");
  settings.expect("model_type", "bert");
  settings.expect("hidden_act", "gelu");
  settings.expect("position_embedding_type", "absolute");
  EncoderConfig config{.layers = settings.size("num_hidden_layers"),
                       .hidden = settings.size("hidden_size"),
                       .heads = settings.size("num_attention_heads"),
                       .intermediate = settings.size("intermediate_size"),
                       .positions = settings.size("max_position_embeddings"),
                       .types = settings.size("type_vocab_size", 2),
                       .vocabulary = settings.size("vocab_size"),
                       .epsilon = static_cast<float>(settings.number("layer_norm_eps", 1e-12)),
                       .labels = {}};
  settings.expect_heads(config.hidden, config.heads);
  return config;
}

EncoderConfig read_distilbert_config(const std::filesystem::path& directory) {
  const Settings settings(directory / "config.json");
  settings.expect("model_type", "distilbert");
  settings.expect("activation", "gelu");
  EncoderConfig config{.layers = settings.size("n_layers"),
                       .hidden = settings.size("dim"),
                       .heads = settings.size("n_heads"),
                       .intermediate = settings.size("hidden_dim"),
                       .positions = settings.size("max_position_embeddings"),
                       .types = 0,
                       .vocabulary = settings.size("vocab_size"),
                       .epsilon = 1e-12f,
                       .labels = read_labels(settings)};
  settings.expect_heads(config.hidden, config.heads);
  return config;
}

BartConfig read_bart_config(const std::filesystem::path& directory) {
  Settings settings(directory / "config.json");
  settings.expect("model_type", "bart");
  settings.expect("activation_function", "gelu");
  // Members of the time before transformers 4, with the values that mean what later versions always do.
  settings.expect("normalize_before", false);
  settings.expect("normalize_embedding", true);
  settings.expect("add_final_layer_norm", false);
  settings.expect("static_position_embeddings", false);
  settings.overlay_task(settings);
  BartConfig config{.hidden = settings.size("d_model"),
                    .encoder_layers = settings.size("encoder_layers"),
                    .encoder_heads = settings.size("encoder_attention_heads"),
                    .encoder_intermediate = settings.size("encoder_ffn_dim"),
                    .decoder_layers = settings.size("decoder_layers"),
                    .decoder_heads = settings.size("decoder_attention_heads"),
                    .decoder_intermediate = settings.size("decoder_ffn_dim"),
                    .positions = settings.size("max_position_embeddings"),
                    .vocabulary = settings.size("vocab_size"),
                    .scale_embedding = settings.flag("scale_embedding", false),
                    .prefix = settings.text("prefix", "")};
  settings.expect_heads(config.hidden, config.encoder_heads);
  settings.expect_heads(config.hidden, config.decoder_heads);
  return config;
}

SearchConfig read_search_config(const std::filesystem::path& directory) {
  std::error_code error;
  const bool own = std::filesystem::exists(directory / "generation_config.json", error);
  const Settings model(directory / "config.json");
  Settings settings = own ? Settings(directory / "generation_config.json") : model;
  settings.overlay_task(model);
  settings.expect("do_sample", false);
  settings.expect("num_beam_groups", 1);
  settings.expect("diversity_penalty", 0.0);
  settings.expect("repetition_penalty", 1.0);
  settings.expect("encoder_no_repeat_ngram_size", 0);
  for (const char* name : {"bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias",
                           "force_words_ids", "exponential_decay_length_penalty", "min_new_tokens"})
    if (settings.find(name)) settings.wrong("sets {}, which is not supported", name);
  SearchConfig config;
  // Where the model says nothing, the summarization pipeline searches with four beams.
  config.beams = settings.size("num_beams", 4);
  if (config.beams > 64) settings.wrong("asks for {} beams; 64 are possible", config.beams);
  config.length_penalty = settings.number("length_penalty", 1.0);
  if (const json* stopping = settings.find("early_stopping")) {
    if (stopping->is_boolean())
      config.early_stopping =
          stopping->get<bool>() ? SearchConfig::EarlyStopping::yes : SearchConfig::EarlyStopping::no;
    else if (*stopping == "never")
      config.early_stopping = SearchConfig::EarlyStopping::never;
    else
      settings.wrong("says that early_stopping is {}, neither true, false nor \"never\"", stopping->dump());
  }
  config.no_repeat_ngram = settings.size("no_repeat_ngram_size", 0);
  config.end = settings.token("eos_token_id").value_or(2);
  const int32_t bos = settings.token("bos_token_id").value_or(0);
  config.forced_first = settings.token("forced_bos_token_id");
  config.forced_last = settings.token("forced_eos_token_id");
  if (own) {
    config.start = settings.token("decoder_start_token_id").value_or(bos);
  } else {
    // What BartConfig means where it is not said, and how configurations before 2021 said it.
    config.start = settings.token("decoder_start_token_id").value_or(2);
    if (!config.forced_last) config.forced_last = 2;
    if (!config.forced_first && settings.flag("force_bos_token_to_be_generated", false))
      config.forced_first = bos;
  }
  return config;
}

std::optional<size_t> read_max_sequence(const std::filesystem::path& directory) {
  std::error_code error;
  const std::filesystem::path path = directory / "sentence_bert_config.json";
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return Settings(path).size("max_seq_length");
}

}  // namespace ticket::model
