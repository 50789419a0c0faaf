// The weights of a linear layer in the order in which the kernels read them (kernel.h), packed in memory or
// mapped from a prepared file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ticket/model/kernel.h"
#include "ticket/model/matrix.h"
#include "ticket/model/precision.h"
#include "ticket/model/tensor.h"
#include "ticket/model/thread_pool.h"

namespace ticket::model {

// What the order depends on. Levels with as wide panels share weights of 16 and 32 bits; those of 8 bits only
// with the same largest weight.
struct WeightLayout {
  std::string level;        // that it was chosen for
  size_t panel = 0;         // outputs
  size_t weight_limit = 0;  // Kernels::weight_limit

  static WeightLayout of(const Kernels& kernels);
  // Whether the kernels of `other` compute with weights in this layout what they would with their own.
  bool serves(const WeightLayout& other, Precision precision) const noexcept;
};

struct PackedWeights {
  Precision precision = Precision::fp32;
  size_t outputs = 0, inputs = 0;
  size_t panel = 0;              // outputs in each
  const void* panels = nullptr;  // in `memory`, or mapped by the checkpoint that they came from, which must
                                 // outlive them
  Buffer memory;
  std::vector<float> scales;  // of bytes, one an output of whole panels
  std::vector<int32_t> sums;

  size_t stride() const noexcept;  // inputs, for bytes rounded up to a multiple of 4
  size_t panel_count() const noexcept { return (outputs + panel - 1) / panel; }
  size_t bytes() const noexcept;  // of the panels
};

// Bytes of one weight.
size_t size_of(Precision precision) noexcept;

// Rows of weights, one an output, wherever they stand. Thread-safe.
class WeightRows {
 public:
  virtual ~WeightRows() = default;
  virtual void floats(size_t row, float* to) const = 0;
  // `scratch` has as many floats as a row.
  virtual void halves(size_t row, uint16_t* to, std::vector<float>& scratch) const = 0;
};

// Those of tensors of [outputs, inputs], one below the other.
class TensorRows : public WeightRows {
 public:
  explicit TensorRows(std::span<const Tensor* const> tensors) : tensors_(tensors) {}
  void floats(size_t row, float* to) const override;
  void halves(size_t row, uint16_t* to, std::vector<float>& scratch) const override;

 private:
  const Tensor& find(size_t& row) const;
  std::span<const Tensor* const> tensors_;
};

// Those that were packed, perhaps for another level of processor.
class PanelRows : public WeightRows {
 public:
  explicit PanelRows(const PackedWeights& packed) : packed_(packed) {}
  void floats(size_t row, float* to) const override;
  void halves(size_t row, uint16_t* to, std::vector<float>& scratch) const override;

 private:
  const PackedWeights& packed_;
};

// Throws Error(invalid_input) with int8_weights for weights that are not finite, and for more than
// max_byte_depth inputs.
PackedWeights pack_weights(const WeightRows& rows, size_t outputs, size_t inputs, Precision precision,
                           const WeightLayout& layout, ThreadPool& pool);

}  // namespace ticket::model
