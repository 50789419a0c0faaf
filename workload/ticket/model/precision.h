// How a model's weights are held in memory.
#pragma once  // Not fuzzed: a setting of whoever starts the program.

#include <string_view>

namespace ticket::model {

enum class Precision {
  fp32,          // as Python computes: weights widened to 32 bits
  fp16_weights,  // half the memory and the same results where the checkpoint is fp16, as DistilBART's is
  int8_weights,  // a quarter, and integer arithmetic: results differ a little, and between levels of
                 // processor
};

// "fp32", "fp16", "int8". Throws Error(invalid_input) otherwise.
Precision parse_precision(std::string_view text);
const char* to_string(Precision precision) noexcept;

// What the encoders (embeddings, sentiment) have unless they are told otherwise, by that of the summaries:
// int8 for int8, fp32 for all else, because their checkpoints have 32 bits.
Precision encoder_precision(Precision summaries) noexcept;

}  // namespace ticket::model
