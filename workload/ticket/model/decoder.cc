#include "ticket/model/decoder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace ticket::model {

Decoder::Memory::Memory(const Decoder& decoder, size_t source_tokens, size_t places)
    : keys(decoder.layers_.size() * places, decoder.config_.hidden),
      values(decoder.layers_.size() * places, decoder.config_.hidden),
      places(places) {
  const size_t heads = decoder.config_.decoder_heads;
  for (size_t i = 0; i < decoder.layers_.size(); ++i)
    source.emplace_back(source_tokens, heads, decoder.config_.hidden / heads);
}

Decoder::Decoder(const Checkpoint& checkpoint, const BartConfig& config, Precision precision,
                 ThreadPool& pool)
    : config_(config) {
  const size_t hidden = config.hidden, wide = config.decoder_intermediate;
  const std::string shared =
      checkpoint.first_of({"model.shared.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"});
  tokens_ = EmbeddingTable(checkpoint.at(shared, {config.vocabulary, hidden}));
  positions_ = EmbeddingTable(checkpoint.at("model.decoder.embed_positions.weight",
                                            {config.positions + bart_position_offset, hidden}));
  embedding_norm_ = LayerNorm::read(checkpoint, "model.decoder.layernorm_embedding", hidden, 1e-5f);
  for (size_t i = 0; i < config.decoder_layers; ++i) {
    const std::string layer = fmt::format("model.decoder.layers.{}", i), self = layer + ".self_attn",
                      cross = layer + ".encoder_attn";
    auto linear = [&](std::initializer_list<std::string> names, size_t outputs, size_t inputs) {
      return read_linear(checkpoint, names, outputs, inputs, precision, pool);
    };
    layers_.push_back(
        {.qkv = linear({self + ".q_proj", self + ".k_proj", self + ".v_proj"}, hidden, hidden),
         .out = linear({self + ".out_proj"}, hidden, hidden),
         .cross_query = linear({cross + ".q_proj"}, hidden, hidden),
         .cross_out = linear({cross + ".out_proj"}, hidden, hidden),
         .up = linear({layer + ".fc1"}, wide, hidden),
         .down = linear({layer + ".fc2"}, hidden, wide),
         .attention_norm = LayerNorm::read(checkpoint, self + "_layer_norm", hidden, 1e-5f),
         .cross_norm = LayerNorm::read(checkpoint, cross + "_layer_norm", hidden, 1e-5f),
         .final_norm = LayerNorm::read(checkpoint, layer + ".final_layer_norm", hidden, 1e-5f)});
    source_.push_back(linear({cross + ".k_proj", cross + ".v_proj"}, hidden, hidden));
  }
  std::vector<float> bias;
  if (checkpoint.has("final_logits_bias"))
    bias = checkpoint.floats("final_logits_bias", {1, config.vocabulary});
  const std::string output = checkpoint.first_of({"lm_head.weight", shared});
  vocabulary_ =
      Linear(checkpoint.packed({{output}}, config.vocabulary, hidden, precision, pool), std::move(bias));
}

size_t Decoder::weight_bytes() const noexcept {
  size_t bytes = vocabulary_.weight_bytes();
  for (const Layer& layer : layers_)
    for (const Linear* linear :
         {&layer.qkv, &layer.out, &layer.cross_query, &layer.cross_out, &layer.up, &layer.down})
      bytes += linear->weight_bytes();
  return bytes;
}

size_t Decoder::weight_count() const noexcept {
  size_t count = vocabulary_.inputs() * vocabulary_.outputs();
  for (const Layer& layer : layers_)
    for (const Linear* linear :
         {&layer.qkv, &layer.out, &layer.cross_query, &layer.cross_out, &layer.up, &layer.down})
      count += linear->inputs() * linear->outputs();
  return count;
}

void Decoder::read_sources(const Matrix& encoded, const Offsets& offsets, std::span<Memory> memories,
                           ThreadPool& pool) const {
  const size_t hidden = config_.hidden, heads = config_.decoder_heads, head_size = hidden / heads;
  Matrix both(encoded.rows(), 2 * hidden);
  for (size_t i = 0; i < layers_.size(); ++i) {
    source_[i].apply(encoded.data(), encoded.rows(), both.data(), Activation::none, pool);
    pool.for_each(memories.size() * heads, 4 * head_size * offsets.back() / memories.size(),
                  [&](size_t task) {
                    const size_t text = task / heads, head = task % heads;
                    const float* row = both.row(offsets[text]) + head * head_size;
                    memories[text].source[i].pack(head, row, row + hidden, both.columns());
                  });
  }
}

void Decoder::embed(std::span<const Row> rows, Matrix& hidden, ThreadPool& pool) const {
  const float scale = config_.scale_embedding ? std::sqrt(static_cast<float>(config_.hidden)) : 1.0f;
  for (size_t r = 0; r < rows.size(); ++r) {
    float* to = hidden.row(r);
    tokens_.copy(static_cast<size_t>(rows[r].token), to);
    if (config_.scale_embedding)
      for (size_t i = 0; i < config_.hidden; ++i) to[i] *= scale;
    positions_.add(rows[r].places.size() - 1 + bart_position_offset, to);
  }
  embedding_norm_.apply(hidden, nullptr, pool);
}

void Decoder::attend_self(size_t layer, std::span<const Row> rows, const Matrix& qkv, Matrix& context,
                          ThreadPool& pool) const {
  const size_t hidden = config_.hidden, heads = config_.decoder_heads;
  for (size_t r = 0; r < rows.size(); ++r) {
    Memory& memory = *rows[r].memory;
    const size_t place = layer * memory.places + rows[r].places.back();
    std::copy_n(qkv.row(r) + hidden, hidden, memory.keys.row(place));
    std::copy_n(qkv.row(r) + 2 * hidden, hidden, memory.values.row(place));
  }
  pool.for_each(rows.size(), 8 * hidden * rows.front().places.size(), [&](size_t r) {
    const Memory& memory = *rows[r].memory;
    const std::vector<uint32_t>& places = rows[r].places;
    std::vector<float> scores(places.size());
    kernels().attend({.query = qkv.row(r),
                      .keys = memory.keys.row(layer * memory.places),
                      .values = memory.values.row(layer * memory.places),
                      .stride = hidden,
                      .places = places.data(),
                      .positions = places.size(),
                      .heads = heads,
                      .head_size = hidden / heads,
                      .scale = 1.0f / std::sqrt(static_cast<float>(hidden / heads)),
                      .scores = scores.data(),
                      .out = context.row(r)});
  });
}

void Decoder::attend_source(size_t layer, std::span<const Row> rows, const Matrix& queries, Matrix& context,
                            ThreadPool& pool) const {
  const size_t heads = config_.decoder_heads, head_size = config_.hidden / heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_size));
  // The beams of a text share its keys and values.
  std::vector<size_t> begins{0};
  for (size_t r = 1; r <= rows.size(); ++r)
    if (r == rows.size() || rows[r].memory != rows[r - 1].memory) begins.push_back(r);
  const size_t operations =
      4 * head_size * rows.front().memory->source[layer].tokens() * rows.size() / begins.size();
  pool.for_each((begins.size() - 1) * heads, operations, [&](size_t task) {
    const size_t first = begins[task / heads], count = begins[task / heads + 1] - first;
    const size_t head = task % heads, column = head * head_size;
    const PackedHeads& source = rows[first].memory->source[layer];
    std::vector<float> scratch(source.scratch_floats(count));
    source.attend(head, queries.row(first) + column, queries.columns(), count, scale, scratch.data(),
                  context.row(first) + column, context.columns());
  });
}

Matrix& Decoder::step(std::span<const Row> rows, Workspace& w, ThreadPool& pool) const {
  const size_t count = rows.size(), hidden = config_.hidden;
  if (w.hidden.rows() != count) {
    w.hidden = Matrix(count, hidden);
    w.qkv = Matrix(count, 3 * hidden);
    w.context = Matrix(count, hidden);
    w.out = Matrix(count, hidden);
    w.wide = Matrix(count, config_.decoder_intermediate);
  }
  embed(rows, w.hidden, pool);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    layer.qkv.apply(w.hidden.data(), count, w.qkv.data(), Activation::none, pool);
    attend_self(i, rows, w.qkv, w.context, pool);
    layer.out.apply(w.context.data(), count, w.out.data(), Activation::none, pool);
    layer.attention_norm.apply(w.hidden, &w.out, pool);
    layer.cross_query.apply(w.hidden.data(), count, w.out.data(), Activation::none, pool);
    attend_source(i, rows, w.out, w.context, pool);
    layer.cross_out.apply(w.context.data(), count, w.out.data(), Activation::none, pool);
    layer.cross_norm.apply(w.hidden, &w.out, pool);
    layer.up.apply(w.hidden.data(), count, w.wide.data(), Activation::gelu, pool);
    layer.down.apply(w.wide.data(), count, w.out.data(), Activation::none, pool);
    layer.final_norm.apply(w.hidden, &w.out, pool);
  }
  const size_t wanted = static_cast<size_t>(std::ranges::count_if(rows, &Row::wants_logits));
  if (w.wanted.rows() != wanted) {
    w.wanted = Matrix(wanted, hidden);
    w.logits = Matrix(wanted, config_.vocabulary);
  }
  size_t next = 0;
  for (size_t r = 0; r < count; ++r)
    if (rows[r].wants_logits) std::copy_n(w.hidden.row(r), hidden, w.wanted.row(next++));
  vocabulary_.apply(w.wanted.data(), wanted, w.logits.data(), Activation::none, pool);
  return w.logits;
}

}  // namespace ticket::model
