// BART's decoder, one token at a time, for the beams of many texts at once.
//
// What a token leaves for those after it (a key and a value in each layer) is written once, at a place of its
// own. A beam is a list of places: when beams are reordered, the lists are copied and no keys or values are.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "ticket/model/encoder.h"
#include "ticket/model/model_config.h"

namespace ticket::model {

class Decoder {
 public:
  Decoder(const Checkpoint& checkpoint, const BartConfig& config, Precision precision, ThreadPool& pool);

  // What the decoder keeps of one text: of the source, and of the tokens so far.
  class Memory {
   public:
    // `places` bounds how many tokens can be fed for this text.
    Memory(const Decoder& decoder, size_t source_tokens, size_t places);

   private:
    friend class Decoder;
    std::deque<PackedHeads> source;  // one a layer
    Matrix keys, values;             // layers × places rows
    size_t places;
  };

  // Fills the source's part: rows [first, first + count) of the encoder's output for memories[i] begin at
  // offsets[i].
  void read_sources(const Matrix& encoded, const Offsets& offsets, std::span<Memory> memories,
                    ThreadPool& pool) const;

  // One token of one beam.
  struct Row {
    int32_t token = 0;
    Memory* memory = nullptr;
    std::vector<uint32_t>
        places;  // of the tokens from the start to this one, whose own is the last and is written
    bool wants_logits = true;
  };
  // Logits of the next token, a row for each that wants them, in order. Rows of one text stand together; a
  // row may build on earlier rows of the same call. The matrix is the decoder's until the next call with the
  // same workspace.
  struct Workspace {
    Matrix hidden, qkv, context, out, wide, wanted, logits;
  };
  Matrix& step(std::span<const Row> rows, Workspace& workspace, ThreadPool& pool) const;

  size_t vocabulary() const noexcept { return config_.vocabulary; }
  // What one step multiplies each row with.
  size_t weight_bytes() const noexcept;
  size_t weight_count() const noexcept;

 private:
  struct Layer {
    Linear qkv, out, cross_query, cross_out, up, down;
    LayerNorm attention_norm, cross_norm, final_norm;
  };
  void embed(std::span<const Row> rows, Matrix& hidden, ThreadPool& pool) const;
  void attend_self(size_t layer, std::span<const Row> rows, const Matrix& qkv, Matrix& context,
                   ThreadPool& pool) const;
  void attend_source(size_t layer, std::span<const Row> rows, const Matrix& queries, Matrix& context,
                     ThreadPool& pool) const;

  BartConfig config_;
  EmbeddingTable tokens_, positions_;
  LayerNorm embedding_norm_;
  std::vector<Layer> layers_;
  std::vector<Linear> source_;  // keys and values of the source, one a layer
  Linear vocabulary_;
};

// BART's positions begin at this row of their table.
inline constexpr size_t bart_position_offset = 2;

}  // namespace ticket::model
