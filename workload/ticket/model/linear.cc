#include "ticket/model/linear.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace ticket::model {
namespace {

// A task of a product should be long beside the cost of taking it (µs), and there should be several for each
// thread so that none waits long for the last.
constexpr size_t tasks_per_thread = 4;

// The rows of several tensors, one below the other.
class StackedRows {
 public:
  explicit StackedRows(std::span<const Tensor* const> tensors) : tensors_(tensors) {}

  void copy(size_t row, size_t columns, float* to) const {
    const Tensor& tensor = find(row);
    if (tensor.dtype == DType::f16) {
      std::vector<uint16_t> halves(columns);  // aligned, which the file need not be
      std::memcpy(halves.data(), tensor.bytes.data() + row * columns * 2, columns * 2);
      kernels().widen(halves.data(), columns, to);
      return;
    }
    copy_floats(tensor, row * columns, columns, to);
  }
  // Halves as they are, where the tensor holds such.
  void copy(size_t row, size_t columns, uint16_t* to, std::vector<float>& scratch) const {
    size_t within = row;
    const Tensor& tensor = find(within);
    if (tensor.dtype == DType::f16) {
      std::memcpy(to, tensor.bytes.data() + within * columns * 2, columns * 2);
      return;
    }
    copy_floats(tensor, within * columns, columns, scratch.data());
    std::transform(scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(columns), to,
                   float_to_half);
  }

 private:
  const Tensor& find(size_t& row) const {
    for (const Tensor* tensor : tensors_) {
      if (row < tensor->shape[0]) return *tensor;
      row -= tensor->shape[0];
    }
    flox::fail(flox::ErrorKind::internal, "row {} beyond all tensors", row);
  }
  std::span<const Tensor* const> tensors_;
};

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
float quantise_weights(const float* weights, size_t count, int8_t* bytes) {
  const float limit = kernels().weight_limit;
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

}  // namespace

Linear::Linear(const Checkpoint& checkpoint, std::span<const Tensor* const> weights, std::vector<float> bias,
               Precision precision, ThreadPool& pool)
    : precision_(precision), bias_(std::move(bias)) {
  inputs_ = weights.front()->shape.at(1);
  for (const Tensor* tensor : weights) outputs_ += tensor->shape.at(0);
  stride_ = precision == Precision::int8_weights ? (inputs_ + 3) / 4 * 4 : inputs_;
  if (precision == Precision::int8_weights && inputs_ > max_byte_depth)
    flox::fail(flox::ErrorKind::invalid_input,
               "a layer of {} inputs, where int8 can add up {}; the precisions fp32 and fp16 have no limit",
               inputs_, max_byte_depth);
  panels_count_ = (outputs_ + kernels().panel - 1) / kernels().panel;
  pack(checkpoint, weights, pool);
}

void Linear::pack(const Checkpoint& checkpoint, std::span<const Tensor* const> weights, ThreadPool& pool) {
  const size_t width = kernels().panel;
  const size_t element = precision_ == Precision::fp32 ? 4 : precision_ == Precision::fp16_weights ? 2 : 1;
  panels_ = Buffer(panels_count_ * width * stride_ * element);
  if (precision_ == Precision::int8_weights) {
    scales_.assign(panels_count_ * width, 0);
    sums_.assign(panels_count_ * width, 0);
  }
  const StackedRows rows(weights);
  std::atomic<bool> damaged = false;
  pool.for_each(panels_count_, 4 * width * inputs_, [&](size_t index) {
    const size_t first = index * width, height = std::min(width, outputs_ - first);
    std::vector<float> floats(precision_ == Precision::fp32 ? width * inputs_ : inputs_);
    if (precision_ == Precision::fp32) {
      for (size_t r = 0; r < height; ++r) rows.copy(first + r, inputs_, floats.data() + r * inputs_);
      interleave(floats, width, inputs_, panels_.as<float>() + index * width * inputs_);
    } else if (precision_ == Precision::fp16_weights) {
      std::vector<uint16_t> halves(width * inputs_);
      for (size_t r = 0; r < height; ++r) rows.copy(first + r, inputs_, halves.data() + r * inputs_, floats);
      interleave(halves, width, inputs_, panels_.as<uint16_t>() + index * width * inputs_);
    } else {
      std::vector<int8_t> bytes(stride_);
      int8_t* panel = panels_.as<int8_t>() + index * width * stride_;
      for (size_t r = 0; r < height; ++r) {
        rows.copy(first + r, inputs_, floats.data());
        scales_[first + r] = quantise_weights(floats.data(), inputs_, bytes.data());
        if (std::isnan(scales_[first + r])) damaged = true;
        int32_t sum = 0;
        for (size_t c = 0; c < stride_; c += 4) {
          std::memcpy(panel + c * width + r * 4, bytes.data() + c, 4);
          sum += bytes[c] + bytes[c + 1] + bytes[c + 2] + bytes[c + 3];
        }
        sums_[first + r] = sum;
      }
    }
  });
  if (damaged)
    flox::fail(flox::ErrorKind::invalid_input,
               "checkpoint {} has weights that are not numbers or are infinite: it is damaged",
               checkpoint.path().string());
  for (const Tensor* tensor : weights) checkpoint.release(*tensor);
}

void Linear::apply(const float* x, size_t rows, float* y, Activation activation, ThreadPool& pool) const {
  if (rows == 0) return;
  if (precision_ == Precision::int8_weights) return apply_bytes(x, rows, y, activation, pool);
  const Product product{.x = x,
                        .x_stride = inputs_,
                        .rows = rows,
                        .depth = inputs_,
                        .panels = panels_.as<char>(),
                        .bias = bias_.empty() ? nullptr : bias_.data(),
                        .activation = activation,
                        .y = y,
                        .y_stride = outputs_,
                        .outputs = outputs_};
  auto multiply = precision_ == Precision::fp32 ? kernels().multiply_f32 : kernels().multiply_f16;
  const size_t tasks = std::min(panels_count_, pool.threads() * tasks_per_thread);
  pool.for_each(tasks, 2 * rows * inputs_ * outputs_ / tasks, [&](size_t task) {
    multiply(product, panels_count_ * task / tasks, panels_count_ * (task + 1) / tasks);
  });
}

void Linear::apply_bytes(const float* x, size_t rows, float* y, Activation activation,
                         ThreadPool& pool) const {
  Buffer bytes(rows * stride_);
  std::vector<ByteRow> numbers(rows);
  pool.for_each(rows, 2 * inputs_, [&](size_t r) {
    numbers[r] = kernels().quantise(x + r * inputs_, inputs_, bytes.as<uint8_t>() + r * stride_);
  });
  const ByteProduct product{.x = bytes.as<uint8_t>(),
                            .x_stride = stride_,
                            .x_rows = numbers.data(),
                            .rows = rows,
                            .panels = panels_.as<int8_t>(),
                            .w_scales = scales_.data(),
                            .w_sums = sums_.data(),
                            .bias = bias_.empty() ? nullptr : bias_.data(),
                            .activation = activation,
                            .y = y,
                            .y_stride = outputs_,
                            .outputs = outputs_};
  const size_t tasks = std::min(panels_count_, pool.threads() * tasks_per_thread);
  pool.for_each(tasks, rows * inputs_ * outputs_ / tasks, [&](size_t task) {
    kernels().multiply_i8(product, panels_count_ * task / tasks, panels_count_ * (task + 1) / tasks);
  });
}

LayerNorm LayerNorm::read(const Checkpoint& checkpoint, const std::string& prefix, size_t size,
                          float epsilon) {
  // The oldest BERT checkpoints say gamma and beta.
  auto vector = [&](const char* name, const char* old_name) {
    const Tensor& tensor = checkpoint.any_of({prefix + name, prefix + old_name}, {size});
    std::vector<float> values(size);
    copy_floats(tensor, 0, size, values.data());
    return values;
  };
  return {.gain = vector(".weight", ".gamma"), .shift = vector(".bias", ".beta"), .epsilon = epsilon};
}

void LayerNorm::apply(Matrix& rows, const Matrix* residual, ThreadPool& pool) const {
  pool.for_each(rows.rows(), 8 * rows.columns(), [&](size_t r) {
    kernels().layer_norm(rows.row(r), residual ? residual->row(r) : nullptr, gain.data(), shift.data(),
                         rows.columns(), epsilon);
  });
}

void EmbeddingTable::copy(size_t row, float* to) const {
  copy_floats(*tensor_, row * columns(), columns(), to);
}

void EmbeddingTable::add(size_t row, float* to) const {
  for (size_t i = 0; i < columns(); ++i) to[i] += element(*tensor_, row * columns() + i);
}

}  // namespace ticket::model
