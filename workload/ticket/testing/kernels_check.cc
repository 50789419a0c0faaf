// The kernels of one level against plain loops, with nothing but a compiler: for processors that are
// emulated. Compiled together with kernels_level.cc, TICKET_LEVEL being the same. Prints what is wrong; exit
// code 1 if anything is.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "ticket/model/kernel.h"
#include "ticket/testing/byte_products.h"

#define JOINED(a, b) a##b
#define TABLE_OF(level) JOINED(kernels_, level)

namespace ticket::model {

extern const Kernels TABLE_OF(TICKET_LEVEL);

namespace {

const Kernels& k = TABLE_OF(TICKET_LEVEL);
bool wrong = false;

void check(bool condition, const char* what, size_t rows, size_t outputs) {
  if (condition) return;
  std::printf("%s is wrong for %zu × %zu\n", what, rows, outputs);
  wrong = true;
}

float number() {  // from −1 to 1, always the same ones
  static uint32_t state = 1;
  state = state * 1664525 + 1013904223;
  return static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
}

// A half with a short fraction, and its value.
uint16_t half(float& value) {
  const int eighths = static_cast<int>(number() * 15);
  value = static_cast<float>(eighths) / 8;
  if (eighths == 0) return 0;
  const int magnitude = eighths < 0 ? -eighths : eighths;
  int exponent = 0;
  while (magnitude >> (exponent + 1)) ++exponent;
  const int fraction = (magnitude << (10 - exponent)) & 0x3ff;
  return static_cast<uint16_t>((eighths < 0 ? 0x8000 : 0) | (exponent - 3 + 15) << 10 | fraction);
}

void check_products(size_t rows, size_t depth, size_t outputs) {
  const size_t panels = (outputs + k.panel - 1) / k.panel, stride = (depth + 3) / 4 * 4;
  std::vector<float> x(rows * depth), w(outputs * depth), bias(outputs), y(rows * outputs);
  std::vector<float> packed(panels * k.panel * depth), scales(panels * k.panel, 1.0f / 8);
  std::vector<uint16_t> halves(packed.size());
  std::vector<int8_t> bytes(panels * k.panel * stride);
  std::vector<int32_t> sums(panels * k.panel);
  std::vector<uint8_t> x_bytes(rows * stride);
  std::vector<ByteRow> x_rows(rows);
  for (float& value : x) value = number();
  for (float& value : bias) value = number();
  for (size_t o = 0; o < outputs; ++o)
    for (size_t i = 0; i < depth; ++i) {
      const size_t place = (o / k.panel * depth + i) * k.panel + o % k.panel;
      halves[place] = half(w[o * depth + i]);
      packed[place] = w[o * depth + i];
      const int8_t byte = static_cast<int8_t>(w[o * depth + i] * 8);
      bytes[(o / k.panel * stride + i / 4 * 4) * k.panel + o % k.panel * 4 + i % 4] = byte;
      sums[o] += byte;
    }
  for (size_t r = 0; r < rows; ++r) x_rows[r] = k.quantise(&x[r * depth], depth, &x_bytes[r * stride]);

  auto worst = [&] {
    double worst = 0;
    for (size_t r = 0; r < rows; ++r)
      for (size_t o = 0; o < outputs; ++o) {
        double sum = bias[o];
        for (size_t i = 0; i < depth; ++i) sum += static_cast<double>(x[r * depth + i]) * w[o * depth + i];
        worst = std::fmax(worst, std::fabs(sum - y[r * outputs + o]));
      }
    return worst;
  };
  Product product{.x = x.data(),
                  .x_stride = depth,
                  .rows = rows,
                  .depth = depth,
                  .panels = packed.data(),
                  .bias = bias.data(),
                  .y = y.data(),
                  .y_stride = outputs,
                  .outputs = outputs};
  k.multiply_f32(product, 0, panels);
  check(worst() < 1e-4, "multiply_f32", rows, outputs);
  product.panels = halves.data();
  k.multiply_f16(product, 0, panels);
  check(worst() < 1e-4, "multiply_f16", rows, outputs);
  k.multiply_i8({.x = x_bytes.data(),
                 .x_stride = stride,
                 .x_rows = x_rows.data(),
                 .rows = rows,
                 .panels = bytes.data(),
                 .w_scales = scales.data(),
                 .w_sums = sums.data(),
                 .bias = bias.data(),
                 .y = y.data(),
                 .y_stride = outputs,
                 .outputs = outputs},
                0, panels);
  check(worst() < 0.01 * std::sqrt(static_cast<double>(depth)), "multiply_i8", rows, outputs);
}

void check_rows(size_t count) {
  std::vector<float> row(count), maxima(count), gain(count, 1), shift(count, 0);
  for (float& value : row) value = number() * 8;
  double top = -1e30, total = 0, mean = 0, squares = 0;
  for (float value : row) top = std::fmax(top, value);
  for (float value : row) total += std::exp(value - top);
  check(std::fabs(k.log_sum_exp(row.data(), count, maxima.data()) - (top + std::log(total))) < 1e-5,
        "log_sum_exp", 1, count);
  std::vector<float> soft = row;
  k.softmax(soft.data(), count);
  for (size_t i = 0; i < count; ++i)
    check(std::fabs(soft[i] - std::exp(row[i] - top) / total) < 1e-6, "softmax", 1, count);
  k.layer_norm(row.data(), nullptr, gain.data(), shift.data(), count, 1e-12f);
  for (float value : row) mean += value, squares += static_cast<double>(value) * value;
  const double n = static_cast<double>(count);
  check(std::fabs(mean / n) < 1e-5 && std::fabs(squares / n - 1) < 1e-4, "layer_norm", 1, count);
}

}  // namespace
}  // namespace ticket::model

int main() {
  using namespace ticket::model;
  for (size_t rows : {1, 2, 6, 7, 13, 40})
    for (size_t outputs : {1, 16, 33}) check_products(rows, 300, outputs);
  for (size_t count : {16, 50, 129}) check_rows(count);
  if (const std::string bytes = wrong_byte_products(k); !bytes.empty()) {
    std::printf("%s\n", bytes.c_str());
    wrong = true;
  }
  std::printf("%s: %s\n", k.level, wrong ? "wrong" : "right");
  return wrong;
}
