// The inner loops of the models, compiled once for each level of processor.
//
// Weights are packed for them: a panel holds `panel` outputs of a linear layer, ordered so that the loop
// reads it from front to back: for each input (float and half) the `panel` weights that it meets; for int8,
// for each four inputs and each output four weights. The last panel is filled up with zeros.
#pragma once

#include <cstddef>
#include <cstdint>

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

// The same with bytes. A row is x_scale × (x − 128); an output's weights are w_scale × w, −63 ≤ w ≤ 63:
// products of two pairs then fit into 16 bits, which is what x86 adds them in.
struct ByteProduct {
  const uint8_t* x = nullptr;
  size_t x_stride = 0;  // depth rounded up to a multiple of 4; the excess has weights of zero
  const float* x_scales = nullptr;
  size_t rows = 0;
  const int8_t* panels = nullptr;
  const float* w_scales = nullptr;  // one an output, of whole panels
  const int32_t* w_sums = nullptr;  // 128 × the sum of an output's weights
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
inline constexpr float max_weight_byte = 63;

struct Kernels {
  const char* level;  // "x86-64-v3"
  size_t panel;

  // Panels [first, last) of a product.
  void (*multiply_f32)(const Product& product, size_t first, size_t last);
  void (*multiply_f16)(const Product& product, size_t first, size_t last);
  void (*multiply_i8)(const ByteProduct& product, size_t first, size_t last);

  // Makes bytes of a row as ByteProduct has it and returns x_scale; fills up to a multiple of 4.
  float (*quantise)(const float* x, size_t count, uint8_t* bytes);

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

}  // namespace ticket::model
