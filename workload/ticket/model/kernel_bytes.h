// Products of rows and packed weights in bytes. Included by kernels_level.cc only.
#pragma once

#include "ticket/model/kernel.h"
#include "ticket/model/kernel_product.h"
#include "ticket/model/kernel_simd.h"

namespace {

using ticket::model::ByteProduct;
using ticket::model::ByteRow;

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
constexpr float weight_limit = 127;
constexpr int byte_tile_rows = tile_rows;  // the instruction adds to its sum: no register for what is between
#elif defined(__aarch64__)
constexpr float weight_limit = 127;
constexpr int byte_tile_rows = 4;
#else
constexpr float weight_limit = 63;
constexpr int byte_tile_rows = tile_rows > 6 ? 8 : 4;
#endif

// SDOT multiplies signed bytes only: inputs and their zeros are moved by 128.
#if defined(__ARM_FEATURE_DOTPROD)
constexpr uint32_t input_flip = 0x80808080;
constexpr int32_t zero_shift = 128;
#else
constexpr uint32_t input_flip = 0;
constexpr int32_t zero_shift = 0;
#endif

// total += for each lane, four bytes of x (the same for all lanes) × four of w.
inline IVec add_products(IVec total, uint32_t x, const int8_t* w) {
#if defined(__AVX512VNNI__)
  return reinterpret_cast<IVec>(_mm512_dpbusd_epi32(
      reinterpret_cast<__m512i>(total), _mm512_set1_epi32(static_cast<int>(x)), _mm512_loadu_si512(w)));
#elif defined(__AVXVNNI__)
  return reinterpret_cast<IVec>(
      _mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(total), _mm256_set1_epi32(static_cast<int>(x)),
                              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w))));
#elif defined(__AVX512BW__)
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
#elif defined(__ARM_FEATURE_DOTPROD)
  return reinterpret_cast<IVec>(
      vdotq_s32(reinterpret_cast<int32x4_t>(total), vreinterpretq_s8_u32(vdupq_n_u32(x)), vld1q_s8(w)));
#elif defined(__aarch64__)
  const uint8x16_t inputs = vreinterpretq_u8_u32(vdupq_n_u32(x));
  const int8x16_t weights = vld1q_s8(w);
  // u8 × s8 as s16, which 255 × 127 fits into: both widened, because NEON multiplies like with like only.
  const int16x8_t low =
      vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(inputs))), vmovl_s8(vget_low_s8(weights)));
  const int16x8_t high = vmulq_s16(vreinterpretq_s16_u16(vmovl_high_u8(inputs)), vmovl_high_s8(weights));
  // The products have 32 bits before they are added.
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
    prefetch_behind<4 * panel_width>(panel + i * panel_width);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      uint32_t four;
      __builtin_memcpy(&four, x + r * p.x_stride + i, 4);
#pragma GCC unroll 4
      for (size_t v = 0; v < panel_vectors; ++v)
        total[r][v] = add_products(total[r][v], four ^ input_flip, panel + i * panel_width + v * lanes * 4);
    }
  }
  const size_t output = index * panel_width;
  for (int r = 0; r < R; ++r) {
    const ByteRow& numbers = p.x_rows[row + r];
    alignas(64) float sums[panel_width];
    for (size_t v = 0; v < panel_vectors; ++v) {
      IVec of_weights;
      __builtin_memcpy(&of_weights, p.w_sums + output + v * lanes, sizeof of_weights);
      store(sums + v * lanes,
            __builtin_convertvector(total[r][v] - of_weights * (numbers.zero - zero_shift), Vec) *
                (load(p.w_scales + output + v * lanes) * numbers.scale));
    }
    finish(sums, p.bias ? p.bias + output : nullptr, 1, p.activation, p.y + (row + r) * p.y_stride + output,
           outputs);
  }
}

template <int R = byte_tile_rows>
void byte_tile_of(int rows, const ByteProduct& p, size_t row, size_t index, size_t outputs) {
  if (rows == R)
    byte_tile<R>(p, row, index, outputs);
  else if constexpr (R > 1)
    byte_tile_of<R - 1>(rows, p, row, index, outputs);
}

// Rows whose bytes stay in the second-level cache while all panels pass by.
inline size_t byte_block_rows(size_t stride) {
  const size_t rows = 384 * 1024 / stride;
  return rows < 48 ? 48 : rows;
}

inline void multiply_bytes(const ByteProduct& p, size_t first, size_t last) {
  const size_t block = byte_block_rows(p.x_stride);
  for (size_t top = 0; top < p.rows; top += block) {
    const size_t rows = p.rows - top < block ? p.rows - top : block;
    // Tiles that differ by one row at most, as in tiles().
    const size_t count = (rows + byte_tile_rows - 1) / byte_tile_rows;
    for (size_t index = first; index < last; ++index) {
      const size_t left = p.outputs - index * panel_width;
      const size_t outputs = left < panel_width ? left : panel_width;
      for (size_t i = 0, row = top; i < count; ++i) {
        const size_t height = rows / count + (i < rows % count);
        byte_tile_of(static_cast<int>(height), p, row, index, outputs);
        row += height;
      }
    }
  }
}

// From the smallest to the largest number, of which 0 is one, in 254 steps: both ends rounded they are 255.
inline ByteRow quantise(const float* x, size_t count, uint8_t* bytes) {
  Vec lows{}, highs{}, unusable{};
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const Vec value = load(x + i);
    lows = minimum(value, lows);
    highs = maximum(value, highs);
    unusable += value - value;  // not 0 if there is a number that is none, or is infinite
  }
  float low = -largest(-lows), high = largest(highs), wrong = sum(unusable);
  for (; i < count; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    wrong += x[i] - x[i];
  }
  // Below this the quotient would be infinite; the row is as good as zeros.
  const float inverse = high - low > 1e-30f ? 254.0f / (high - low) : 0;
  // Adding 1.5 × 2^23 rounds; the low bits of the sum are the number.
  constexpr float rounder = 12582912.0f;
  const float zero = -low * inverse + rounder - rounder;
  for (i = 0; i < count; ++i) {
    const float shifted = x[i] * inverse + (rounder + zero);
    uint32_t rounded;
    __builtin_memcpy(&rounded, &shifted, 4);
    bytes[i] = static_cast<uint8_t>(rounded);
  }
  for (i = count; i % 4 != 0; ++i) bytes[i] = 0;
  return {.scale = wrong == 0 ? (high - low) / 254.0f : __builtin_nanf(""),
          .zero = wrong == 0 ? static_cast<int32_t>(zero) : 0};
}

}  // namespace
