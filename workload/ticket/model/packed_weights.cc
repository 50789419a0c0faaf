#include "ticket/model/packed_weights.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace ticket::model {
namespace {

// panel[column][output of panel] = rows[output of panel][column]
template <typename Number>
void interleave(const std::vector<Number>& rows, size_t height, size_t columns, Number* panel) {
  constexpr size_t block = 16;  // columns, so that what is written stays in the first-level cache
  for (size_t begin = 0; begin < columns; begin += block)
    for (size_t r = 0; r < height; ++r)
      for (size_t c = begin; c < std::min(begin + block, columns); ++c)
        panel[c * height + r] = rows[r * columns + c];
}

// One output's weights as bytes: returns their scale, or not a number if a weight is none or is infinite.
float quantise_weights(const float* weights, size_t count, float limit, int8_t* bytes) {
  float largest = 0, unusable = 0;
  for (size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::abs(weights[i]));
    unusable += weights[i] - weights[i];
  }
  if (unusable != 0) return std::numeric_limits<float>::quiet_NaN();
  const float inverse = largest > 1e-30f ? limit / largest : 0;  // below that it would be infinite
  // Adding 1.5 × 2^23 rounds, many at a time; the low bits of the sum are the number.
  for (size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<int8_t>(std::bit_cast<uint32_t>(weights[i] * inverse + 12582912.0f));
  return largest / limit;
}

void halves_of(const std::vector<float>& floats, size_t count, uint16_t* to) {
  std::transform(floats.begin(), floats.begin() + static_cast<std::ptrdiff_t>(count), to, float_to_half);
}

}  // namespace

WeightLayout WeightLayout::of(const Kernels& kernels) {
  return {.level = kernels.level,
          .panel = kernels.panel,
          .weight_limit = static_cast<size_t>(kernels.weight_limit)};
}

bool WeightLayout::serves(const WeightLayout& other, Precision precision) const noexcept {
  return panel == other.panel && (precision != Precision::int8_weights || weight_limit == other.weight_limit);
}

size_t size_of(Precision precision) noexcept {
  return precision == Precision::fp32 ? 4 : precision == Precision::fp16_weights ? 2 : 1;
}

size_t PackedWeights::stride() const noexcept {
  return precision == Precision::int8_weights ? (inputs + 3) / 4 * 4 : inputs;
}

size_t PackedWeights::bytes() const noexcept { return panel_count() * panel * stride() * size_of(precision); }

// --- rows

const Tensor& TensorRows::find(size_t& row) const {
  for (const Tensor* tensor : tensors_) {
    if (row < tensor->shape[0]) return *tensor;
    row -= tensor->shape[0];
  }
  flox::fail(flox::ErrorKind::internal, "row {} beyond all tensors", row);
}

void TensorRows::floats(size_t row, float* to) const {
  const Tensor& tensor = find(row);
  const size_t columns = tensor.shape[1];
  if (tensor.dtype == DType::f16) {
    std::vector<uint16_t> aligned(columns);  // which the file need not be
    std::memcpy(aligned.data(), tensor.bytes.data() + row * columns * 2, columns * 2);
    kernels().widen(aligned.data(), columns, to);
    return;
  }
  copy_floats(tensor, row * columns, columns, to);
}

// Halves as they are, where the tensor holds such.
void TensorRows::halves(size_t row, uint16_t* to, std::vector<float>& scratch) const {
  const Tensor& tensor = find(row);
  const size_t columns = tensor.shape[1];
  if (tensor.dtype == DType::f16) {
    std::memcpy(to, tensor.bytes.data() + row * columns * 2, columns * 2);
    return;
  }
  copy_floats(tensor, row * columns, columns, scratch.data());
  halves_of(scratch, columns, to);
}

void PanelRows::floats(size_t row, float* to) const {
  const PackedWeights& p = packed_;
  const size_t first = row / p.panel * p.panel * p.stride(), r = row % p.panel;
  for (size_t c = 0; c < p.inputs; ++c) switch (p.precision) {
      case Precision::fp32:
        to[c] = static_cast<const float*>(p.panels)[first + c * p.panel + r];
        break;
      case Precision::fp16_weights:
        to[c] = half_to_float(static_cast<const uint16_t*>(p.panels)[first + c * p.panel + r]);
        break;
      case Precision::int8_weights:
        to[c] =
            p.scales[row] * static_cast<const int8_t*>(p.panels)[first + c / 4 * 4 * p.panel + r * 4 + c % 4];
        break;
    }
}

void PanelRows::halves(size_t row, uint16_t* to, std::vector<float>& scratch) const {
  floats(row, scratch.data());
  halves_of(scratch, packed_.inputs, to);  // exact for what was a half
}

// --- packing

PackedWeights pack_weights(const WeightRows& rows, size_t outputs, size_t inputs, Precision precision,
                           const WeightLayout& layout, ThreadPool& pool) {
  if (precision == Precision::int8_weights && inputs > max_byte_depth)
    flox::fail(flox::ErrorKind::invalid_input,
               "a layer of {} inputs, where int8 can add up {}; the precisions fp32 and fp16 have no limit",
               inputs, max_byte_depth);
  PackedWeights packed{.precision = precision, .outputs = outputs, .inputs = inputs, .panel = layout.panel};
  const size_t width = layout.panel, stride = packed.stride();
  packed.memory = Buffer(packed.bytes());
  packed.panels = packed.memory.as<char>();
  if (precision == Precision::int8_weights) {
    packed.scales.assign(packed.panel_count() * width, 0);
    packed.sums.assign(packed.panel_count() * width, 0);
  }
  std::atomic<bool> damaged = false;
  pool.for_each(packed.panel_count(), 4 * width * inputs, [&](size_t index) {
    const size_t first = index * width, height = std::min(width, outputs - first);
    std::vector<float> floats(precision == Precision::fp32 ? width * inputs : inputs);
    if (precision == Precision::fp32) {
      for (size_t r = 0; r < height; ++r) rows.floats(first + r, floats.data() + r * inputs);
      interleave(floats, width, inputs, packed.memory.as<float>() + index * width * inputs);
    } else if (precision == Precision::fp16_weights) {
      std::vector<uint16_t> halves(width * inputs);
      for (size_t r = 0; r < height; ++r) rows.halves(first + r, halves.data() + r * inputs, floats);
      interleave(halves, width, inputs, packed.memory.as<uint16_t>() + index * width * inputs);
    } else {
      std::vector<int8_t> bytes(stride);
      int8_t* panel = packed.memory.as<int8_t>() + index * width * stride;
      for (size_t r = 0; r < height; ++r) {
        rows.floats(first + r, floats.data());
        packed.scales[first + r] =
            quantise_weights(floats.data(), inputs, static_cast<float>(layout.weight_limit), bytes.data());
        if (std::isnan(packed.scales[first + r])) damaged = true;
        int32_t sum = 0;
        for (size_t c = 0; c < stride; c += 4) {
          std::memcpy(panel + c * width + r * 4, bytes.data() + c, 4);
          sum += bytes[c] + bytes[c + 1] + bytes[c + 2] + bytes[c + 3];
        }
        packed.sums[first + r] = sum;
      }
    }
  });
  if (damaged) flox::fail(flox::ErrorKind::invalid_input, "its weights are not all numbers: it is damaged");
  return packed;
}

}  // namespace ticket::model
