#include "ticket/model/encoder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace ticket::model {

using flox::ErrorKind;

const EncoderNames bert_names = {.query = ".attention.self.query",
                                 .key = ".attention.self.key",
                                 .value = ".attention.self.value",
                                 .out = ".attention.output.dense",
                                 .attention_norm = ".attention.output.LayerNorm",
                                 .up = ".intermediate.dense",
                                 .down = ".output.dense",
                                 .final_norm = ".output.LayerNorm"};
const EncoderNames distilbert_names = {.query = ".attention.q_lin",
                                       .key = ".attention.k_lin",
                                       .value = ".attention.v_lin",
                                       .out = ".attention.out_lin",
                                       .attention_norm = ".sa_layer_norm",
                                       .up = ".ffn.lin1",
                                       .down = ".ffn.lin2",
                                       .final_norm = ".output_layer_norm"};
const EncoderNames bart_names = {.query = ".self_attn.q_proj",
                                 .key = ".self_attn.k_proj",
                                 .value = ".self_attn.v_proj",
                                 .out = ".self_attn.out_proj",
                                 .attention_norm = ".self_attn_layer_norm",
                                 .up = ".fc1",
                                 .down = ".fc2",
                                 .final_norm = ".final_layer_norm"};

Offsets offsets_of(std::span<const std::vector<int32_t>> sequences) {
  Offsets offsets{0};
  for (const auto& sequence : sequences) offsets.push_back(offsets.back() + sequence.size());
  return offsets;
}

std::vector<std::span<const std::vector<int32_t>>> groups_of(
    std::span<const std::vector<int32_t>> sequences) {
  constexpr size_t max_tokens = 2048;
  std::vector<std::span<const std::vector<int32_t>>> groups;
  for (size_t begin = 0, end; begin < sequences.size(); begin = end) {
    size_t tokens = sequences[begin].size();
    for (end = begin + 1; end < sequences.size() && tokens + sequences[end].size() <= max_tokens; ++end)
      tokens += sequences[end].size();
    groups.push_back(sequences.subspan(begin, end - begin));
  }
  return groups;
}

void check_tokens(std::span<const std::vector<int32_t>> sequences, size_t max_tokens, size_t vocabulary) {
  for (const auto& sequence : sequences) {
    if (sequence.empty() || sequence.size() > max_tokens)
      flox::fail(ErrorKind::invalid_input, "a sequence of {} tokens, where 1 to {} are possible",
                 sequence.size(), max_tokens);
    for (int32_t id : sequence)
      if (id < 0 || static_cast<size_t>(id) >= vocabulary)
        flox::fail(ErrorKind::invalid_input,
                   "token {} is not in the model's vocabulary of {}: tokenizer and checkpoint do not belong "
                   "together",
                   id, vocabulary);
  }
}

Linear read_linear(const Checkpoint& checkpoint, std::initializer_list<std::string> names, size_t outputs,
                   size_t inputs, Precision precision, ThreadPool& pool) {
  std::vector<std::string> weights;
  std::vector<float> bias;
  for (const std::string& name : names) {
    weights.push_back(name + ".weight");
    std::vector<float> part = checkpoint.floats(name + ".bias", {outputs});
    bias.insert(bias.end(), part.begin(), part.end());
  }
  return Linear(checkpoint.packed(weights, outputs, inputs, precision, pool), std::move(bias));
}

// --- heads

PackedHeads::PackedHeads(size_t tokens, size_t heads, size_t head_size)
    : tokens_(tokens),
      head_size_(head_size),
      key_panels_((tokens + kernels().panel - 1) / kernels().panel),
      value_panels_((head_size + kernels().panel - 1) / kernels().panel),
      keys_(heads * key_panels_ * kernels().panel * head_size * sizeof(float)),
      values_(heads * value_panels_ * kernels().panel * tokens * sizeof(float)) {}

void PackedHeads::pack(size_t head, const float* keys, const float* values, size_t stride) {
  const size_t width = kernels().panel;
  // Keys are weights with one output a token; values are weights with one input a token.
  float* key_panels = keys_.as<float>() + head * key_panels_ * width * head_size_;
  for (size_t t = 0; t < tokens_; ++t) {
    float* panel = key_panels + t / width * width * head_size_ + t % width;
    for (size_t i = 0; i < head_size_; ++i) panel[i * width] = keys[t * stride + i];
  }
  float* value_panels = values_.as<float>() + head * value_panels_ * width * tokens_;
  for (size_t first = 0; first < head_size_; first += width) {
    const size_t count = std::min(width, head_size_ - first);
    float* panel = value_panels + first / width * width * tokens_;
    for (size_t t = 0; t < tokens_; ++t) std::copy_n(values + t * stride + first, count, panel + t * width);
  }
}

void PackedHeads::attend(size_t head, const float* queries, size_t query_stride, size_t count, float scale,
                         float* scratch, float* out, size_t out_stride) const {
  const size_t width = kernels().panel;
  kernels().multiply_f32({.x = queries,
                          .x_stride = query_stride,
                          .rows = count,
                          .depth = head_size_,
                          .panels = keys_.as<float>() + head * key_panels_ * width * head_size_,
                          .scale = scale,
                          .y = scratch,
                          .y_stride = tokens_,
                          .outputs = tokens_},
                         0, key_panels_);
  for (size_t r = 0; r < count; ++r) kernels().softmax(scratch + r * tokens_, tokens_);
  kernels().multiply_f32({.x = scratch,
                          .x_stride = tokens_,
                          .rows = count,
                          .depth = tokens_,
                          .panels = values_.as<float>() + head * value_panels_ * width * tokens_,
                          .y = out,
                          .y_stride = out_stride,
                          .outputs = head_size_},
                         0, value_panels_);
}

// --- layers

Encoder::Encoder(const Checkpoint& checkpoint, const Shape& shape, const std::string& prefix,
                 const EncoderNames& names, ThreadPool& pool)
    : shape_(shape) {
  const size_t hidden = shape.hidden;
  for (size_t i = 0; i < shape.layers; ++i) {
    const std::string layer = fmt::format("{}.{}", prefix, i);
    layers_.push_back(
        {.qkv = read_linear(checkpoint, {layer + names.query, layer + names.key, layer + names.value}, hidden,
                            hidden, shape.precision, pool),
         .out = read_linear(checkpoint, {layer + names.out}, hidden, hidden, shape.precision, pool),
         .up = read_linear(checkpoint, {layer + names.up}, shape.intermediate, hidden, shape.precision, pool),
         .down =
             read_linear(checkpoint, {layer + names.down}, hidden, shape.intermediate, shape.precision, pool),
         .attention_norm = LayerNorm::read(checkpoint, layer + names.attention_norm, hidden, shape.epsilon),
         .final_norm = LayerNorm::read(checkpoint, layer + names.final_norm, hidden, shape.epsilon)});
  }
}

void Encoder::attend(const Matrix& qkv, const Offsets& offsets, Matrix& context, ThreadPool& pool) const {
  const size_t hidden = shape_.hidden, head_size = hidden / shape_.heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_size));
  const size_t texts = offsets.size() - 1;
  const size_t mean = offsets.back() / texts;
  pool.for_each(texts * shape_.heads, 4 * mean * (mean + 16) * head_size, [&](size_t task) {
    const size_t text = task / shape_.heads, column = task % shape_.heads * head_size;
    const size_t first = offsets[text], tokens = offsets[text + 1] - first;
    const float* row = qkv.row(first) + column;
    PackedHeads packed(tokens, 1, head_size);
    packed.pack(0, row + hidden, row + 2 * hidden, qkv.columns());
    Buffer scratch(packed.scratch_floats(tokens) * sizeof(float));
    packed.attend(0, row, qkv.columns(), tokens, scale, scratch.as<float>(), context.row(first) + column,
                  context.columns());
  });
}

void Encoder::run(Matrix& rows, const Offsets& offsets, ThreadPool& pool) const {
  const size_t count = rows.rows();
  Matrix qkv(count, 3 * shape_.hidden), context(count, shape_.hidden), out(count, shape_.hidden),
      wide(count, shape_.intermediate);
  for (const Layer& layer : layers_) {
    layer.qkv.apply(rows.data(), count, qkv.data(), Activation::none, pool);
    attend(qkv, offsets, context, pool);
    layer.out.apply(context.data(), count, out.data(), Activation::none, pool);
    layer.attention_norm.apply(rows, &out, pool);
    layer.up.apply(rows.data(), count, wide.data(), Activation::gelu, pool);
    layer.down.apply(wide.data(), count, out.data(), Activation::none, pool);
    layer.final_norm.apply(rows, &out, pool);
  }
}

}  // namespace ticket::model
