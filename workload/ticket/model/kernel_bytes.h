// Products of rows and packed weights in bytes. Included by kernels_level.cc only.
#pragma once

#include "ticket/model/kernel.h"
#include "ticket/model/kernel_product.h"
#include "ticket/model/kernel_simd.h"

namespace {

using ticket::model::ByteProduct;

constexpr int byte_tile_rows = tile_rows > 6 ? 8 : 4;

// total += for each lane, four bytes of x (the same for all lanes) × four of w.
inline IVec add_products(IVec total, uint32_t x, const int8_t* w) {
#if defined(__AVX512BW__)
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi32(static_cast<int>(x)), _mm512_loadu_si512(w));
  return total + reinterpret_cast<IVec>(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#elif defined(__AVX2__)
  const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(static_cast<int>(x)), weights);
  return total + reinterpret_cast<IVec>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif defined(__SSSE3__)
  const __m128i weights = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w));
  const __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi32(static_cast<int>(x)), weights);
  return total + reinterpret_cast<IVec>(_mm_madd_epi16(pairs, _mm_set1_epi16(1)));
#elif defined(__aarch64__)
  const uint8x16_t inputs = vreinterpretq_u8_u32(vdupq_n_u32(x));
  const int8x16_t weights = vld1q_s8(w);
  // u8 × s8 as s16: both widened, because NEON multiplies like with like only.
  const int16x8_t low =
      vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(inputs))), vmovl_s8(vget_low_s8(weights)));
  const int16x8_t high = vmulq_s16(vreinterpretq_s16_u16(vmovl_high_u8(inputs)), vmovl_high_s8(weights));
  return total + reinterpret_cast<IVec>(vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#else
#error "no product of bytes for this processor"
#endif
}

template <int R>
void byte_tile(const ByteProduct& p, size_t row, size_t index, size_t outputs) {
  IVec total[R][panel_vectors] = {};
  const uint8_t* x = p.x + row * p.x_stride;
  const int8_t* panel = p.panels + index * p.x_stride * panel_width;
  for (size_t i = 0; i < p.x_stride; i += 4) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      uint32_t four;
      __builtin_memcpy(&four, x + r * p.x_stride + i, 4);
#pragma GCC unroll 4
      for (size_t v = 0; v < panel_vectors; ++v)
        total[r][v] = add_products(total[r][v], four, panel + i * panel_width + v * lanes * 4);
    }
  }
  const size_t output = index * panel_width;
  for (int r = 0; r < R; ++r) {
    alignas(64) float sums[panel_width];
    for (size_t v = 0; v < panel_vectors; ++v) {
      IVec offset;
      __builtin_memcpy(&offset, p.w_sums + output + v * lanes, sizeof offset);
      store(sums + v * lanes, __builtin_convertvector(total[r][v] - offset, Vec) *
                                  (load(p.w_scales + output + v * lanes) * p.x_scales[row + r]));
    }
    finish(sums, p.bias ? p.bias + output : nullptr, 1, p.activation, p.y + (row + r) * p.y_stride + output,
           outputs);
  }
}

inline void multiply_bytes(const ByteProduct& p, size_t first, size_t last) {
  for (size_t index = first; index < last; ++index) {
    const size_t left = p.outputs - index * panel_width;
    const size_t outputs = left < panel_width ? left : panel_width;
    size_t row = 0;
    for (; row + byte_tile_rows <= p.rows; row += byte_tile_rows)
      byte_tile<byte_tile_rows>(p, row, index, outputs);
    for (; row + 2 <= p.rows; row += 2) byte_tile<2>(p, row, index, outputs);
    for (; row < p.rows; ++row) byte_tile<1>(p, row, index, outputs);
  }
}

inline float quantise(const float* x, size_t count, uint8_t* bytes) {
  float largest_magnitude = 0;
  for (size_t i = 0; i < count; ++i) {
    const float value = x[i] < 0 ? -x[i] : x[i];
    largest_magnitude = value > largest_magnitude ? value : largest_magnitude;
  }
  const float inverse = largest_magnitude > 0 ? 127.0f / largest_magnitude : 0;
  for (size_t i = 0; i < count; ++i) {
    // Adding 1.5 × 2^23 rounds; the low bits of the sum are the number.
    const float shifted = x[i] * inverse + (12582912.0f + 128.0f);
    uint32_t rounded;
    __builtin_memcpy(&rounded, &shifted, 4);
    bytes[i] = static_cast<uint8_t>(rounded);
  }
  for (size_t i = count; i % 4 != 0; ++i) bytes[i] = 128;
  return largest_magnitude / 127.0f;
}

}  // namespace
