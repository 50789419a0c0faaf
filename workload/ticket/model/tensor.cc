#include "ticket/model/tensor.h"

#include <fmt/ranges.h>

#include <bit>
#include <cstring>

#include "base/error.h"

namespace ticket::model {

using flox::ErrorKind;

size_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 1;
}

const char* to_string(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
      return "F64";
    case DType::i64:
      return "I64";
    case DType::f32:
      return "F32";
    case DType::i32:
      return "I32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i16:
      return "I16";
    case DType::i8:
      return "I8";
    case DType::u8:
      return "U8";
    case DType::boolean:
      return "BOOL";
  }
  return "?";
}

size_t Tensor::elements() const noexcept { return bytes.size() / size_of(dtype); }

std::string Tensor::shape_text() const { return fmt::format("[{}]", fmt::join(shape, ", ")); }

size_t checked_bytes(DType dtype, const std::vector<size_t>& shape) {
  size_t bytes = size_of(dtype);
  for (size_t dimension : shape)
    if (__builtin_mul_overflow(bytes, dimension, &bytes))
      flox::fail(ErrorKind::invalid_input, "a tensor of shape [{}] is larger than any memory",
                 fmt::join(shape, ", "));
  return bytes;
}

float half_to_float(uint16_t half) noexcept {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // The exponent is rebased by a multiplication, which also makes normal numbers of subnormal halves.
  const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

uint16_t float_to_half(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // rounds past 65504
  if (magnitude < 0x38800000) {  // subnormal: the addition rounds at the right bit
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

namespace {

template <typename T>
T load(std::string_view bytes, size_t index) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

float element(const Tensor& tensor, size_t index) noexcept {
  switch (tensor.dtype) {
    case DType::f32:
      return load<float>(tensor.bytes, index);
    case DType::f16:
      return half_to_float(load<uint16_t>(tensor.bytes, index));
    case DType::bf16:
      return std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(tensor.bytes, index)) << 16);
    case DType::f64:
      return static_cast<float>(load<double>(tensor.bytes, index));
    default:
      return 0;
  }
}

void copy_floats(const Tensor& tensor, size_t first, size_t count, float* to) {
  switch (tensor.dtype) {
    case DType::f32:
      std::memcpy(to, tensor.bytes.data() + first * 4, count * 4);
      return;
    case DType::f16:
    case DType::bf16:
    case DType::f64:
      for (size_t i = 0; i < count; ++i) to[i] = element(tensor, first + i);
      return;
    default:
      flox::fail(ErrorKind::invalid_input, "a tensor of {} stands where weights are expected",
                 to_string(tensor.dtype));
  }
}

}  // namespace ticket::model
