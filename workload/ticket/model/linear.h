// A linear layer, y = activation(x Wᵀ + b), with its weights packed for this processor.
#pragma once

#include <span>
#include <vector>

#include "ticket/model/checkpoint.h"
#include "ticket/model/kernel.h"
#include "ticket/model/matrix.h"
#include "ticket/model/precision.h"
#include "ticket/model/thread_pool.h"

namespace ticket::model {

class Linear {
 public:
  Linear() = default;
  // `weights` are tensors of [outputs, inputs], one below the other; `bias` is as long as all of their
  // outputs, or empty. The tensors' pages are released from the checkpoint's mapping once they are packed.
  // Throws Error(invalid_input) with int8_weights for weights that are not finite, and for more than
  // max_byte_depth inputs.
  Linear(const Checkpoint& checkpoint, std::span<const Tensor* const> weights, std::vector<float> bias,
         Precision precision, ThreadPool& pool);

  size_t inputs() const noexcept { return inputs_; }
  size_t outputs() const noexcept { return outputs_; }
  size_t weight_bytes() const noexcept { return panels_.size(); }

  // y[rows][outputs()] of x[rows][inputs()].
  void apply(const float* x, size_t rows, float* y, Activation activation, ThreadPool& pool) const;

 private:
  void pack(const Checkpoint& checkpoint, std::span<const Tensor* const> weights, ThreadPool& pool);
  void apply_bytes(const float* x, size_t rows, float* y, Activation activation, ThreadPool& pool) const;

  Precision precision_ = Precision::fp32;
  size_t inputs_ = 0, outputs_ = 0, panels_count_ = 0;
  size_t stride_ = 0;  // inputs, for bytes rounded up to a multiple of 4
  Buffer panels_;
  std::vector<float> bias_;
  std::vector<float> scales_;  // of bytes, one an output
  std::vector<int32_t> sums_;
};

// Normalises rows over their columns: row = (row + residual − mean) / deviation × gain + shift.
struct LayerNorm {
  std::vector<float> gain, shift;
  float epsilon = 1e-5f;

  // PREFIX.weight and PREFIX.bias.
  static LayerNorm read(const Checkpoint& checkpoint, const std::string& prefix, size_t size, float epsilon);
  // `residual` has as many rows, or is null.
  void apply(Matrix& rows, const Matrix* residual, ThreadPool& pool) const;
};

// Rows of a table as they stand in the checkpoint, looked up one by one: few of its pages are ever touched.
class EmbeddingTable {
 public:
  EmbeddingTable() = default;
  explicit EmbeddingTable(const Tensor& tensor) : tensor_(&tensor) {}
  size_t rows() const noexcept { return tensor_->shape[0]; }
  size_t columns() const noexcept { return tensor_->shape[1]; }
  // to = row, or to += row.
  void copy(size_t row, float* to) const;
  void add(size_t row, float* to) const;

 private:
  const Tensor* tensor_ = nullptr;
};

}  // namespace ticket::model
