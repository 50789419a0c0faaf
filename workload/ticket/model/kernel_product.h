// Products of rows and packed weights in floating point. Included by kernels_level.cc only.
#pragma once

#include "ticket/model/kernel.h"
#include "ticket/model/kernel_simd.h"

namespace {

using ticket::model::Activation;
using ticket::model::Product;

constexpr size_t depth_block = 256;  // of a panel: 16 kB of floats, half of a first-level cache
constexpr size_t max_block_rows = 96;

inline Vec load_weight(const float* from) { return load(from); }
inline Vec load_weight(const uint16_t* from) { return load_half(from); }

// sums[R][panel_width] += x[R][depth] × panel[depth][panel_width]
template <int R, typename Weight>
void tile(const float* x, size_t x_stride, const Weight* panel, size_t depth, float* sums) {
  Vec total[R][panel_vectors];
  for (int r = 0; r < R; ++r)
    for (size_t v = 0; v < panel_vectors; ++v) total[r][v] = load(sums + r * panel_width + v * lanes);
  for (size_t i = 0; i < depth; ++i) {
    prefetch_behind<sizeof(Weight) * panel_width>(panel + i * panel_width);
    Vec weight[panel_vectors];
    for (size_t v = 0; v < panel_vectors; ++v) weight[v] = load_weight(panel + i * panel_width + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec input = broadcast(x[r * x_stride + i]);
#pragma GCC unroll 4
      for (size_t v = 0; v < panel_vectors; ++v) total[r][v] += input * weight[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (size_t v = 0; v < panel_vectors; ++v) store(sums + r * panel_width + v * lanes, total[r][v]);
}

template <typename Weight>
void tile_of(size_t rows, const float* x, size_t x_stride, const Weight* panel, size_t depth, float* sums) {
  switch (rows) {
    case 1:
      return tile<1>(x, x_stride, panel, depth, sums);
    case 2:
      return tile<2>(x, x_stride, panel, depth, sums);
    case 3:
      return tile<3>(x, x_stride, panel, depth, sums);
    case 4:
      return tile<4>(x, x_stride, panel, depth, sums);
    case 5:
      return tile<5>(x, x_stride, panel, depth, sums);
    case 6:
      return tile<6>(x, x_stride, panel, depth, sums);
#if defined(__AVX512F__)
    case 7:
      return tile<7>(x, x_stride, panel, depth, sums);
    case 8:
      return tile<8>(x, x_stride, panel, depth, sums);
    case 9:
      return tile<9>(x, x_stride, panel, depth, sums);
    case 10:
      return tile<10>(x, x_stride, panel, depth, sums);
    case 11:
      return tile<11>(x, x_stride, panel, depth, sums);
    case 12:
      return tile<12>(x, x_stride, panel, depth, sums);
#endif
  }
}

// All rows of a block, in tiles that differ by one row at most: a tile of few rows wastes what it loads.
template <typename Weight>
void tiles(size_t rows, const float* x, size_t x_stride, const Weight* panel, size_t depth, float* sums) {
  const size_t count = (rows + tile_rows - 1) / tile_rows;
  for (size_t i = 0, row = 0; i < count; ++i) {
    const size_t height = rows / count + (i < rows % count);
    tile_of(height, x + row * x_stride, x_stride, panel, depth, sums + row * panel_width);
    row += height;
  }
}

inline Vec activate(Vec value, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return gelu(value);
    case Activation::relu:
      return maximum(value, Vec{});
    case Activation::none:
      break;
  }
  return value;
}

// One row of one panel into y: `outputs` of its elements.
inline void finish(float* sums, const float* bias, float scale, Activation activation, float* y,
                   size_t outputs) {
  float biases[panel_width] = {};
  if (bias) __builtin_memcpy(biases, bias, outputs * sizeof(float));
  for (size_t v = 0; v < panel_vectors; ++v) {
    const Vec value = activate(load(sums + v * lanes) * scale + load(biases + v * lanes), activation);
    store(sums + v * lanes, value);
  }
  if (outputs == panel_width)
    __builtin_memcpy(y, sums, panel_width * sizeof(float));
  else
    __builtin_memcpy(y, sums, outputs * sizeof(float));
}

// Rows whose inputs stay in the second-level cache while all panels pass by.
inline size_t block_rows(size_t depth) {
  const size_t rows = (384 * 1024 / sizeof(float)) / depth;
  return rows < 48 ? 48 : rows > max_block_rows ? max_block_rows : rows;
}

template <typename Weight>
void multiply(const Product& p, size_t first, size_t last) {
  alignas(64) float sums[max_block_rows * panel_width];
  alignas(64) float widened[sizeof(Weight) == 2 && !widens_halves ? depth_block * panel_width : 1];
  const size_t height = block_rows(p.depth);
  for (size_t top = 0; top < p.rows; top += height) {
    const size_t rows = p.rows - top < height ? p.rows - top : height;
    for (size_t index = first; index < last; ++index) {
      const Weight* panel = static_cast<const Weight*>(p.panels) + index * p.depth * panel_width;
      __builtin_memset(sums, 0, rows * panel_width * sizeof(float));
      for (size_t begin = 0; begin < p.depth; begin += depth_block) {
        const size_t depth = p.depth - begin < depth_block ? p.depth - begin : depth_block;
        const Weight* block = panel + begin * panel_width;
        const float* x = p.x + top * p.x_stride + begin;
        // Where the processor has no instruction for it, halves are widened once for all rows. Where it has,
        // widening them again for each tile costs nothing and reads half as much: 82 against 74 GFLOP/s (Zen
        // 3, 320 rows).
        if (sizeof(Weight) == 2 && !widens_halves && rows > tile_rows) {
          for (size_t i = 0; i < depth * panel_width; i += lanes) store(widened + i, load_weight(block + i));
          tiles(rows, x, p.x_stride, static_cast<const float*>(widened), depth, sums);
        } else {
          tiles(rows, x, p.x_stride, block, depth, sums);
        }
      }
      const size_t output = index * panel_width;
      const size_t outputs = p.outputs - output < panel_width ? p.outputs - output : panel_width;
      for (size_t r = 0; r < rows; ++r)
        finish(sums + r * panel_width, p.bias ? p.bias + output : nullptr, p.scale, p.activation,
               p.y + (top + r) * p.y_stride + output, outputs);
    }
  }
}

}  // namespace
