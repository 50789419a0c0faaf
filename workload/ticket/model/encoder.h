// A stack of transformer encoder layers with the normalisation after each half (BERT, DistilBERT, BART).
//
// Texts of a batch are packed one behind the other without padding: nothing is computed that is not asked
// for, and a text's result does not depend on its neighbours.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "ticket/model/linear.h"

namespace ticket::model {

// Where the tokens of each text begin, and at the end where the last one's end.
using Offsets = std::vector<size_t>;
Offsets offsets_of(std::span<const std::vector<int32_t>> sequences);

// Consecutive sequences in groups of a few thousand tokens, which bounds the memory that a call takes.
std::vector<std::span<const std::vector<int32_t>>> groups_of(std::span<const std::vector<int32_t>> sequences);

// Throws Error(invalid_input) unless each sequence has 1 to `max_tokens` ids, all in the vocabulary.
void check_tokens(std::span<const std::vector<int32_t>> sequences, size_t max_tokens, size_t vocabulary);

// Heads of keys and values, packed for the kernels: what queries of any number of rows are multiplied with.
class PackedHeads {
 public:
  PackedHeads(size_t tokens, size_t heads, size_t head_size);
  // Fills one head from rows of `stride` floats that begin with that head's.
  void pack(size_t head, const float* keys, const float* values, size_t stride);

  size_t tokens() const noexcept { return tokens_; }
  // Memory for one call of attend() by a thread with that many queries.
  size_t scratch_floats(size_t queries) const noexcept { return queries * tokens_; }

  // One head of softmax(scale × q kᵀ) v; rows of queries and of `out` begin with that head's.
  void attend(size_t head, const float* queries, size_t query_stride, size_t count, float scale,
              float* scratch, float* out, size_t out_stride) const;

 private:
  size_t tokens_, head_size_;
  size_t key_panels_, value_panels_;  // of one head
  Buffer keys_, values_;
};

// Names of a layer's tensors, behind PREFIX.N, as each architecture has them.
struct EncoderNames {
  const char *query, *key, *value, *out, *attention_norm, *up, *down, *final_norm;
};
extern const EncoderNames bert_names, distilbert_names, bart_names;

class Encoder {
 public:
  struct Shape {
    size_t layers, hidden, heads, intermediate;
    float epsilon;
    Precision precision = Precision::fp32;
  };
  // Layers PREFIX.0, PREFIX.1, …
  Encoder(const Checkpoint& checkpoint, const Shape& shape, const std::string& prefix,
          const EncoderNames& names, ThreadPool& pool);

  // Rows of embedded tokens become what the last layer says of them.
  void run(Matrix& rows, const Offsets& offsets, ThreadPool& pool) const;

 private:
  struct Layer {
    Linear qkv, out, up, down;
    LayerNorm attention_norm, final_norm;
  };
  void attend(const Matrix& qkv, const Offsets& offsets, Matrix& context, ThreadPool& pool) const;

  Shape shape_;
  std::vector<Layer> layers_;
};

// A linear layer of one or several [outputs, inputs] tensors NAME.weight with their NAME.bias.
Linear read_linear(const Checkpoint& checkpoint, std::initializer_list<std::string> names, size_t outputs,
                   size_t inputs, Precision precision, ThreadPool& pool);

}  // namespace ticket::model
