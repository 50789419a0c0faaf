// Are a level's products of bytes exact? With nothing but a compiler, for kernels_check.cc too.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "ticket/model/kernel.h"

namespace ticket::model {

// What the bytes of one product are.
enum class Bytes { any, largest, smallest, alternating };

// Compares one product with the sums of a plain loop in 64 bits. "" if all are equal, otherwise what is
// wrong.
inline std::string wrong_byte_product(const Kernels& k, size_t rows, size_t depth, size_t outputs,
                                      Bytes bytes) {
  const int limit = static_cast<int>(k.weight_limit);
  const size_t panels = (outputs + k.panel - 1) / k.panel, stride = (depth + 3) / 4 * 4;
  uint32_t state = static_cast<uint32_t>(rows * 1000003 + depth * 1009 + outputs);
  auto random = [&](int low, int high) {
    state = state * 1664525 + 1013904223;
    return low + static_cast<int>((state >> 8) % static_cast<uint32_t>(high - low + 1));
  };
  std::vector<uint8_t> x(rows * stride);
  std::vector<int8_t> w(outputs * stride), packed(panels * k.panel * stride);
  std::vector<int32_t> sums(panels * k.panel);
  std::vector<float> scales(panels * k.panel, 1), y(rows * outputs + 1, -7);
  std::vector<ByteRow> x_rows(rows);
  for (size_t r = 0; r < rows; ++r) {
    // What fills a row up may be anything: its weights are zero.
    for (size_t i = 0; i < stride; ++i)
      x[r * stride + i] = static_cast<uint8_t>(bytes == Bytes::any ? random(0, 255) : 255);
    x_rows[r] = {.scale = 1, .zero = bytes == Bytes::any ? random(0, 255) : 0};
  }
  for (size_t o = 0; o < outputs; ++o)
    for (size_t i = 0; i < depth; ++i) {
      const int value = bytes == Bytes::any        ? random(-limit, limit)
                        : bytes == Bytes::largest  ? limit
                        : bytes == Bytes::smallest ? -limit
                        : (i + o) % 2 == 0         ? limit
                                                   : -limit;
      w[o * stride + i] = static_cast<int8_t>(value);
      packed[(o / k.panel * stride + i / 4 * 4) * k.panel + o % k.panel * 4 + i % 4] =
          static_cast<int8_t>(value);
      sums[o] += value;
    }
  k.multiply_i8({.x = x.data(),
                 .x_stride = stride,
                 .x_rows = x_rows.data(),
                 .rows = rows,
                 .panels = packed.data(),
                 .w_scales = scales.data(),
                 .w_sums = sums.data(),
                 .y = y.data(),
                 .y_stride = outputs,
                 .outputs = outputs},
                0, panels);
  char text[200];
  for (size_t r = 0; r < rows; ++r)
    for (size_t o = 0; o < outputs; ++o) {
      int64_t sum = 0;
      for (size_t i = 0; i < stride; ++i)
        sum += (x[r * stride + i] - static_cast<int64_t>(x_rows[r].zero)) * w[o * stride + i];
      if (y[r * outputs + o] == static_cast<float>(sum)) continue;
      std::snprintf(text, sizeof text, "%s: row %zu of %zu, output %zu of %zu, depth %zu: %.0f, not %lld",
                    k.level, r, rows, o, outputs, depth, static_cast<double>(y[r * outputs + o]),
                    static_cast<long long>(sum));
      return text;
    }
  return y.back() == -7 ? "" : std::string(k.level) + ": wrote behind the last output";
}

// All shapes that have tails of their own: of rows in a tile, of outputs in a panel, of inputs in four; sums
// at both ends of what bytes can be; blocks of rows; the deepest product.
inline std::string wrong_byte_products(const Kernels& k) {
  std::string wrong;
  for (size_t rows = 1; rows <= 27 && wrong.empty(); ++rows)
    for (size_t outputs : {size_t{1}, k.panel - 1, k.panel, k.panel + 1, 3 * k.panel + 5})
      for (size_t depth : {1, 2, 3, 4, 5, 63, 64, 130})
        if (wrong.empty()) wrong = wrong_byte_product(k, rows, depth, outputs, Bytes::any);
  for (Bytes bytes : {Bytes::any, Bytes::largest, Bytes::smallest, Bytes::alternating})
    for (size_t depth : {size_t{4}, size_t{300}, size_t{4096}, max_byte_depth})
      if (wrong.empty()) wrong = wrong_byte_product(k, 5, depth, k.panel + 1, bytes);
  if (wrong.empty()) wrong = wrong_byte_product(k, 230, 4096, 2, Bytes::any);
  return wrong;
}

}  // namespace ticket::model
