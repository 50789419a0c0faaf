// A linear layer, y = activation(x Wᵀ + b), with its weights packed for this processor.
#pragma once

#include <vector>

#include "ticket/model/checkpoint.h"
#include "ticket/model/kernel.h"
#include "ticket/model/matrix.h"
#include "ticket/model/packed_weights.h"
#include "ticket/model/thread_pool.h"

namespace ticket::model {

class Linear {
 public:
  Linear() = default;
  // `bias` is as long as the outputs, or empty.
  explicit Linear(PackedWeights weights, std::vector<float> bias = {})
      : weights_(std::move(weights)), bias_(std::move(bias)) {}

  size_t inputs() const noexcept { return weights_.inputs; }
  size_t outputs() const noexcept { return weights_.outputs; }
  size_t weight_bytes() const noexcept { return weights_.bytes(); }

  // y[rows][outputs()] of x[rows][inputs()].
  void apply(const float* x, size_t rows, float* y, Activation activation, ThreadPool& pool) const;

 private:
  void apply_bytes(const float* x, size_t rows, float* y, Activation activation, ThreadPool& pool) const;

  PackedWeights weights_;
  std::vector<float> bias_;
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
