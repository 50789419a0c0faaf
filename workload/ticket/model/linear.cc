#include "ticket/model/linear.h"

#include <algorithm>

namespace ticket::model {
namespace {

// A task of a product should be long beside the cost of taking it (µs), and there should be several for each
// thread so that none waits long for the last.
constexpr size_t tasks_per_thread = 4;

}  // namespace

void Linear::apply(const float* x, size_t rows, float* y, Activation activation, ThreadPool& pool) const {
  if (rows == 0) return;
  if (weights_.precision == Precision::int8_weights) return apply_bytes(x, rows, y, activation, pool);
  const Product product{.x = x,
                        .x_stride = inputs(),
                        .rows = rows,
                        .depth = inputs(),
                        .panels = weights_.panels,
                        .bias = bias_.empty() ? nullptr : bias_.data(),
                        .activation = activation,
                        .y = y,
                        .y_stride = outputs(),
                        .outputs = outputs()};
  auto multiply = weights_.precision == Precision::fp32 ? kernels().multiply_f32 : kernels().multiply_f16;
  const size_t panels = weights_.panel_count(), tasks = std::min(panels, pool.threads() * tasks_per_thread);
  pool.for_each(tasks, 2 * rows * inputs() * outputs() / tasks,
                [&](size_t task) { multiply(product, panels * task / tasks, panels * (task + 1) / tasks); });
}

void Linear::apply_bytes(const float* x, size_t rows, float* y, Activation activation,
                         ThreadPool& pool) const {
  const size_t stride = weights_.stride();
  Buffer bytes(rows * stride);
  std::vector<ByteRow> numbers(rows);
  pool.for_each(rows, 2 * inputs(), [&](size_t r) {
    numbers[r] = kernels().quantise(x + r * inputs(), inputs(), bytes.as<uint8_t>() + r * stride);
  });
  const ByteProduct product{.x = bytes.as<uint8_t>(),
                            .x_stride = stride,
                            .x_rows = numbers.data(),
                            .rows = rows,
                            .panels = static_cast<const int8_t*>(weights_.panels),
                            .w_scales = weights_.scales.data(),
                            .w_sums = weights_.sums.data(),
                            .bias = bias_.empty() ? nullptr : bias_.data(),
                            .activation = activation,
                            .y = y,
                            .y_stride = outputs(),
                            .outputs = outputs()};
  const size_t panels = weights_.panel_count(), tasks = std::min(panels, pool.threads() * tasks_per_thread);
  pool.for_each(tasks, rows * inputs() * outputs() / tasks, [&](size_t task) {
    kernels().multiply_i8(product, panels * task / tasks, panels * (task + 1) / tasks);
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
