// A tensor as it stands in a checkpoint file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ticket::model {

enum class DType { f32, f16, bf16, f64, i64, i32, i16, i8, u8, boolean };

size_t size_of(DType dtype) noexcept;
const char* to_string(DType dtype) noexcept;

// Row-major, little-endian and perhaps unaligned bytes that someone else owns.
struct Tensor {
  DType dtype = DType::f32;
  std::vector<size_t> shape;
  std::string_view bytes;  // exactly elements() of dtype

  size_t elements() const noexcept;
  std::string shape_text() const;  // "[30522, 384]"
};

using TensorMap = std::map<std::string, Tensor, std::less<>>;

// The bytes of a tensor of this shape. Throws Error(invalid_input) where the product has no meaning.
size_t checked_bytes(DType dtype, const std::vector<size_t>& shape);

// IEEE 754 half precision, exact; and the nearest half, ties to even.
float half_to_float(uint16_t half) noexcept;
uint16_t float_to_half(float value) noexcept;

// Element `index` of a floating-point tensor, widened.
float element(const Tensor& tensor, size_t index) noexcept;
// `count` elements from `first` on. Throws Error(invalid_input) if the dtype is not floating point.
void copy_floats(const Tensor& tensor, size_t first, size_t count, float* to);

}  // namespace ticket::model
