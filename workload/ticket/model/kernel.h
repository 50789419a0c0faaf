// The inner loops of the models, compiled once for each level of processor.
//
// Weights are packed for them: a panel holds `panel` outputs of a linear layer, ordered so that the loop
// reads it from front to back: for each input (float and half) the `panel` weights that it meets; for int8,
// for each four inputs and each output four weights. The last panel is filled up with zeros.
//
// A level is a set of instructions: one of x86-64's levels or aarch64, and with "+vnni" or "+dotprod" the
// instructions that multiply and add bytes four at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ticket::model {

enum class Activation { none, gelu, relu };

// y[r][o] = activation(scale × Σi x[r][i] × w[o][i] + bias[o])
struct Product {
  const float* x = nullptr;
  size_t x_stride = 0;
  size_t rows = 0;
  size_t depth = 0;              // inputs
  const void* panels = nullptr;  // of float or half
  const float* bias = nullptr;   // one an output; null: none
  float scale = 1;
  Activation activation = Activation::none;
  float* y = nullptr;
  size_t y_stride = 0;
  size_t outputs = 0;
};

// How a row of numbers is held in bytes: as scale × (byte − zero).
struct ByteRow {
  float scale = 0;  // not a number if one of the row's is none, or is infinite
  int32_t zero = 0;
};

// The same with bytes. An output's weights are w_scale × w, −weight_limit ≤ w ≤ weight_limit. Sums are exact:
// they have 32 bits, which max_byte_depth inputs cannot exceed.
struct ByteProduct {
  const uint8_t* x = nullptr;
  size_t x_stride = 0;  // depth rounded up to a multiple of 4; the excess has weights of zero
  const ByteRow* x_rows = nullptr;
  size_t rows = 0;
  const int8_t* panels = nullptr;
  const float* w_scales = nullptr;  // one an output, of whole panels
  const int32_t* w_sums = nullptr;  // of an output's weights
  const float* bias = nullptr;
  Activation activation = Activation::none;
  float* y = nullptr;
  size_t y_stride = 0;
  size_t outputs = 0;
};

// One query against the keys of the positions before it, each at a place of its own.
struct CachedAttention {
  const float* query = nullptr;  // heads × head_size
  const float* keys = nullptr;   // place p is at keys + p × stride
  const float* values = nullptr;
  size_t stride = 0;
  const uint32_t* places = nullptr;
  size_t positions = 0;
  size_t heads = 0;
  size_t head_size = 0;  // a multiple of 16
  float scale = 1;
  float* scores = nullptr;  // scratch, `positions` floats
  float* out = nullptr;     // heads × head_size
};

inline constexpr size_t maxima_block = 64;
inline constexpr size_t max_byte_depth = 65536;  // 255 × 127 × 65536 < 2^31

struct Kernels {
  const char* level;  // "x86-64-v3", "x86-64-v4+vnni"
  size_t panel;
  // The largest weight in bytes: 127, or 63 where two products are added in 16 bits, which 2 × 255 × 127
  // would saturate.
  float weight_limit;

  // Panels [first, last) of a product.
  void (*multiply_f32)(const Product& product, size_t first, size_t last);
  void (*multiply_f16)(const Product& product, size_t first, size_t last);
  void (*multiply_i8)(const ByteProduct& product, size_t first, size_t last);

  // Makes bytes of a row; fills up to a multiple of 4.
  ByteRow (*quantise)(const float* x, size_t count, uint8_t* bytes);

  // row = normalised(row + residual) × gain + shift; residual may be null.
  void (*layer_norm)(float* row, const float* residual, const float* gain, const float* shift, size_t count,
                     float epsilon);
  // row = exp(row) / Σ exp(row)
  void (*softmax)(float* row, size_t count);
  // log Σ exp(row), and the maximum of each maxima_block elements.
  float (*log_sum_exp)(const float* row, size_t count, float* maxima);
  void (*attend)(const CachedAttention& attention);

  // Widens `count` halves.
  void (*widen)(const uint16_t* halves, size_t count, float* floats);
};

// The best that this processor can run of what was compiled, or what TICKET_CPU_LEVEL names ("x86-64-v2", …).
// Throws Error(unavailable) if the processor cannot run the level that the program was built for, or
// Error(invalid_input) for a level that it has not.
const Kernels& kernels();
// All that this processor can run of what was compiled, best first.
std::vector<const Kernels*> runnable_kernels();
// All that was compiled, whether or not it runs here, best first.
std::vector<const Kernels*> known_kernels();

}  // namespace ticket::model
