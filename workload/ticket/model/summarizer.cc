#include "ticket/model/summarizer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <limits>

#include "base/error.h"
#include "ticket/model/beam_search.h"
#include "ticket/model/decoder.h"
#include "ticket/model/tokenizer.h"

namespace ticket::model {
namespace {

using flox::ErrorKind;

// Texts that are decoded together: enough for the products to be bound by arithmetic, few enough for their
// keys and values to stay within 200 MB (50 kB a source token, 10 MB a text).
constexpr size_t max_group_texts = 16;
constexpr size_t max_group_tokens = 2048;

class Stopwatch {
 public:
  // Seconds since it was made or last asked.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// The `count` largest logits of a row as log probabilities, best first; maxima are of its blocks.
std::vector<Candidate> best_tokens(const float* logits, size_t vocabulary, const std::vector<float>& maxima,
                                   float log_sum, size_t count) {
  std::vector<Candidate> best;
  auto worse = [](const Candidate& a, const Candidate& b) { return a.log_probability > b.log_probability; };
  for (size_t block = 0; block < maxima.size(); ++block) {
    if (best.size() == count && maxima[block] <= best.front().log_probability) continue;
    const size_t begin = block * maxima_block, end = std::min(begin + maxima_block, vocabulary);
    for (size_t i = begin; i < end; ++i) {
      if (logits[i] == -std::numeric_limits<float>::infinity()) continue;
      if (best.size() == count) {
        if (logits[i] <= best.front().log_probability) continue;
        std::ranges::pop_heap(best, worse);
        best.pop_back();
      }
      best.push_back({static_cast<int32_t>(i), logits[i]});
      std::ranges::push_heap(best, worse);
    }
  }
  std::ranges::sort_heap(best, worse);
  for (Candidate& candidate : best) candidate.log_probability -= log_sum;
  return best;
}

// One text on its way to a summary.
struct Text {
  BeamSearch search;
  std::vector<std::vector<uint32_t>> places;  // of each beam's tokens that the decoder has seen
  size_t places_used = 0;
};

}  // namespace

struct Summarizer::State {
  ThreadPool& pool;
  std::future<std::unique_ptr<Tokenizer>> reading_tokenizer;  // beside the weights
  BartConfig config;
  SearchConfig search;
  Checkpoint checkpoint;
  EmbeddingTable tokens, positions;
  LayerNorm embedding_norm;
  Encoder encoder;
  Decoder decoder;
  std::unique_ptr<Tokenizer> tokenizer;

  State(const std::filesystem::path& snapshot, Precision precision, Packing packing)
      : pool(ThreadPool::shared()),
        reading_tokenizer(std::async(std::launch::async, load_tokenizer, snapshot)),
        config(read_bart_config(snapshot)),
        search(read_search_config(snapshot)),
        checkpoint(Checkpoint::open(snapshot, std::move(packing))),
        tokens(checkpoint.any_of({"model.shared.weight", "model.encoder.embed_tokens.weight"},
                                 {config.vocabulary, config.hidden})),
        positions(checkpoint.at("model.encoder.embed_positions.weight",
                                {config.positions + bart_position_offset, config.hidden})),
        embedding_norm(
            LayerNorm::read(checkpoint, "model.encoder.layernorm_embedding", config.hidden, 1e-5f)),
        encoder(checkpoint,
                {.layers = config.encoder_layers,
                 .hidden = config.hidden,
                 .heads = config.encoder_heads,
                 .intermediate = config.encoder_intermediate,
                 .epsilon = 1e-5f,
                 .precision = precision},
                "model.encoder.layers", bart_names, pool),
        decoder(checkpoint, config, precision, pool),
        tokenizer(reading_tokenizer.get()) {}

  Matrix encode(std::span<const std::vector<int32_t>> sources, const Offsets& offsets) const;
  void decode(std::span<Text> texts, std::span<Decoder::Memory> memories, SummaryTimes& times) const;
  std::vector<Decoder::Row> next_rows(Text& text, Decoder::Memory& memory) const;
  std::vector<std::vector<Candidate>> candidates(const Text& text, Matrix& logits, size_t first) const;
  void summarise_group(std::span<const std::vector<int32_t>> sources, const SummaryLimits& limits,
                       std::vector<std::vector<int32_t>>& results, SummaryTimes& times) const;
};

Matrix Summarizer::State::encode(std::span<const std::vector<int32_t>> sources,
                                 const Offsets& offsets) const {
  Matrix rows(offsets.back(), config.hidden);
  const float scale = config.scale_embedding ? std::sqrt(static_cast<float>(config.hidden)) : 1.0f;
  for (size_t text = 0; text < sources.size(); ++text) {
    for (size_t t = 0; t < sources[text].size(); ++t) {
      float* row = rows.row(offsets[text] + t);
      tokens.copy(static_cast<size_t>(sources[text][t]), row);
      if (config.scale_embedding)
        for (size_t i = 0; i < config.hidden; ++i) row[i] *= scale;
      positions.add(t + bart_position_offset, row);
    }
  }
  embedding_norm.apply(rows, nullptr, pool);
  encoder.run(rows, offsets, pool);
  return rows;
}

// What to feed for each beam: the tokens that the decoder has not seen yet, of which only the last needs an
// answer. That is one, except at the beginning, when the first token was prescribed.
std::vector<Decoder::Row> Summarizer::State::next_rows(Text& text, Decoder::Memory& memory) const {
  std::vector<Decoder::Row> rows;
  const auto beams = text.search.beams();
  std::vector<std::vector<uint32_t>> places;
  for (const BeamSearch::Beam& beam : beams) {
    std::vector<uint32_t> seen = text.places.empty() ? std::vector<uint32_t>() : text.places[beam.parent];
    while (seen.size() < beam.tokens.size()) {
      seen.push_back(static_cast<uint32_t>(text.places_used++));
      rows.push_back({.token = beam.tokens[seen.size() - 1],
                      .memory = &memory,
                      .places = seen,
                      .wants_logits = seen.size() == beam.tokens.size()});
    }
    places.push_back(std::move(seen));
  }
  text.places = std::move(places);
  return rows;
}

std::vector<std::vector<Candidate>> Summarizer::State::candidates(const Text& text, Matrix& logits,
                                                                  size_t first) const {
  std::vector<std::vector<Candidate>> result;
  for (size_t i = 0; i < text.search.beams().size(); ++i) {
    float* row = logits.row(first + i);
    std::vector<float> maxima((config.vocabulary + maxima_block - 1) / maxima_block);
    const float log_sum = kernels().log_sum_exp(row, config.vocabulary, maxima.data());
    // Banned tokens count in the sum, as they do in log_softmax, which comes before the bans.
    for (int32_t token : text.search.banned(i))
      if (static_cast<size_t>(token) < config.vocabulary)
        row[token] = -std::numeric_limits<float>::infinity();
    if (std::isfinite(log_sum))
      result.push_back(best_tokens(row, config.vocabulary, maxima, log_sum, text.search.candidates_needed()));
    else
      result.emplace_back();  // what this means is said where an error may be thrown
  }
  return result;
}

void Summarizer::State::decode(std::span<Text> texts, std::span<Decoder::Memory> memories,
                               SummaryTimes& times) const {
  Decoder::Workspace workspace;
  while (true) {
    std::vector<size_t> active;
    for (size_t i = 0; i < texts.size(); ++i) {
      while (!texts[i].search.done() && texts[i].search.take_forced()) {
      }
      if (!texts[i].search.done()) active.push_back(i);
    }
    if (active.empty()) return;
    std::vector<Decoder::Row> rows;
    std::vector<size_t> firsts;  // row of logits
    size_t wanted = 0;
    for (size_t i : active) {
      firsts.push_back(wanted);
      wanted += texts[i].search.beams().size();
      std::vector<Decoder::Row> more = next_rows(texts[i], memories[i]);
      std::ranges::move(more, std::back_inserter(rows));
    }
    Matrix& logits = decoder.step(rows, workspace, pool);
    std::vector<std::vector<std::vector<Candidate>>> next(active.size());
    pool.for_each(active.size(), 64 * config.vocabulary,
                  [&](size_t i) { next[i] = candidates(texts[active[i]], logits, firsts[i]); });
    for (size_t i = 0; i < active.size(); ++i) {
      if (std::ranges::all_of(next[i], &std::vector<Candidate>::empty))
        flox::fail(ErrorKind::invalid_input,
                   "checkpoint {} computes what is not a number: its weights are damaged",
                   checkpoint.path().string());
      texts[active[i]].search.advance(next[i]);
    }
    ++times.steps;
    times.rows += rows.size();
  }
}

void Summarizer::State::summarise_group(std::span<const std::vector<int32_t>> sources,
                                        const SummaryLimits& limits,
                                        std::vector<std::vector<int32_t>>& results,
                                        SummaryTimes& times) const {
  Stopwatch stopwatch;
  const Offsets offsets = offsets_of(sources);
  Matrix encoded = encode(sources, offsets);
  std::vector<Text> texts;
  std::vector<Decoder::Memory> memories;
  for (const auto& source : sources) {
    texts.push_back({.search = BeamSearch(search, limits), .places = {}, .places_used = 0});
    memories.emplace_back(decoder, source.size(), limits.max_length * search.beams);
  }
  decoder.read_sources(encoded, offsets, memories, pool);
  times.encode += stopwatch.lap();
  times.source_tokens += offsets.back();
  decode(texts, memories, times);
  times.decode += stopwatch.lap();
  for (const Text& text : texts) results.push_back(text.search.best());
}

Summarizer::Summarizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Summarizer::~Summarizer() = default;

std::unique_ptr<Summarizer> Summarizer::load(const std::filesystem::path& snapshot, Precision precision,
                                             Packing packing) {
  return flox::in_context("loading summarizer " + snapshot.string(), [&] {
    return std::unique_ptr<Summarizer>(
        new Summarizer(std::make_unique<State>(snapshot, precision, std::move(packing))));
  });
}

size_t Summarizer::max_tokens() const noexcept { return state_->config.positions; }

std::vector<std::vector<int32_t>> Summarizer::generate(std::span<const std::vector<int32_t>> sources,
                                                       const SummaryLimits& limits,
                                                       SummaryTimes* times) const {
  check_tokens(sources, max_tokens(), state_->config.vocabulary);
  if (limits.max_length > max_tokens())
    flox::fail(ErrorKind::invalid_input, "a summary of {} tokens, where the model has {} positions",
               limits.max_length, max_tokens());
  SummaryTimes spent;
  std::vector<std::vector<int32_t>> results;
  for (size_t begin = 0; begin < sources.size();) {
    size_t end = begin, tokens = 0;
    while (end < sources.size() && end - begin < max_group_texts &&
           (end == begin || tokens + sources[end].size() <= max_group_tokens))
      tokens += sources[end++].size();
    state_->summarise_group(sources.subspan(begin, end - begin), limits, results, spent);
    begin = end;
  }
  if (times) *times = spent;
  return results;
}

std::vector<std::string> Summarizer::summarize(std::span<const std::string> texts,
                                               const SummaryLimits& limits, SummaryTimes* times) const {
  Stopwatch stopwatch;
  std::vector<std::vector<int32_t>> sources;
  for (const std::string& text : texts)
    sources.push_back(state_->tokenizer->encode(state_->config.prefix + text, max_tokens()));
  const double tokenize = stopwatch.lap();
  std::vector<std::string> summaries;
  for (const auto& tokens : generate(sources, limits, times))
    summaries.push_back(state_->tokenizer->decode(tokens));
  if (times) times->tokenize = tokenize;
  return summaries;
}

}  // namespace ticket::model
