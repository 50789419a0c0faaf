// One vector of floats, as wide as the level that this file is compiled for has them.
// Included by kernels_level.cc only; everything here is local to it, so that no function compiled for a
// higher level can stand in for one of the rest of the program.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr size_t lanes = 16;
constexpr size_t panel_vectors = 2;
constexpr int tile_rows = 12;  // of 32 registers: 24 sums, 2 of weights
#elif defined(__AVX2__)
constexpr size_t lanes = 8;
constexpr size_t panel_vectors = 2;
constexpr int tile_rows = 6;  // of 16 registers: 12 sums, 2 of weights
#elif defined(__aarch64__)
constexpr size_t lanes = 4;
constexpr size_t panel_vectors = 4;
constexpr int tile_rows = 6;  // of 32 registers: 24 sums, 4 of weights
#else
constexpr size_t lanes = 4;
constexpr size_t panel_vectors = 2;
constexpr int tile_rows = 6;
#endif
#if defined(__AVX512F__) || defined(__F16C__) || defined(__aarch64__)
constexpr bool widens_halves = true;  // in one instruction
#else
constexpr bool widens_halves = false;
#endif
constexpr size_t panel_width = lanes * panel_vectors;

typedef float Vec __attribute__((vector_size(lanes * 4)));
typedef int32_t IVec __attribute__((vector_size(lanes * 4)));

inline Vec load(const float* from) {
  Vec value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}
inline void store(float* to, Vec value) { __builtin_memcpy(to, &value, sizeof value); }
// x − 0 is x for every x, which x + 0 is not: the compiler makes a plain broadcast of it.
inline Vec broadcast(float value) { return value - Vec{}; }
inline IVec bits(Vec value) { return reinterpret_cast<IVec>(value); }
inline Vec floats(IVec value) { return reinterpret_cast<Vec>(value); }
inline Vec select(IVec mask, Vec yes, Vec no) { return floats((bits(yes) & mask) | (bits(no) & ~mask)); }
inline Vec maximum(Vec a, Vec b) { return select(a > b, a, b); }
inline Vec minimum(Vec a, Vec b) { return select(a < b, a, b); }
inline Vec magnitude(Vec a) { return floats(bits(a) & (IVec{} + 0x7fffffff)); }

inline float sum(Vec value) {
  for (size_t width = lanes / 2; width > 0; width /= 2)
    for (size_t i = 0; i < width; ++i) value[i] += value[i + width];
  return value[0];
}
inline float largest(Vec value) {
  float best = value[0];
  for (size_t i = 1; i < lanes; ++i) best = value[i] > best ? value[i] : best;
  return best;
}

// Asks for the weights that come 4 kB behind these `bytes`: a step of the decoder reads all of them from
// memory, and the processor does not ask for them early enough by itself. Zen 5, 40 rows: fp16 decodes in
// 0.78 of the time, int8 in 0.87; 1 and 2 kB win less, 8 kB no more. Behind the last weights nothing is
// touched by it.
template <size_t bytes>
inline void prefetch_behind(const void* from) {
  const uintptr_t ahead = reinterpret_cast<uintptr_t>(from) + 4096;
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(reinterpret_cast<const void*>(ahead + i));
}

inline Vec load_half(const uint16_t* from) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vec>(
      _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__F16C__)
  return reinterpret_cast<Vec>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__aarch64__)
  return reinterpret_cast<Vec>(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from))));
#else
  // As half_to_float.
  const __m128i wide = _mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  const IVec value = reinterpret_cast<IVec>(wide);
  const Vec rebased = floats((value & 0x7fff) << 13) * 0x1p112f;
  const IVec special = ((value & 0x7c00) == 0x7c00) & 0x7f800000;
  return floats(bits(rebased) | special | (value & 0x8000) << 16);
#endif
}

// e^x within 2 units in the last place; 0 below −87, no infinity above 88.
inline Vec exponential(Vec x) {
  const Vec low = broadcast(-87.0f);
  const IVec vanishes = x < low;
  x = minimum(maximum(x, low), broadcast(88.0f));
  // x = n ln 2 + r; adding and taking 1.5 × 2^23 rounds n.
  const Vec shifted = x * 1.44269504f + 12582912.0f;
  const Vec n = shifted - 12582912.0f;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = broadcast(1.9875691500e-4f);  // Cephes, expf
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Vec value = p * r * r + r + 1.0f;
  const IVec exponent = (bits(shifted) - bits(broadcast(12582912.0f))) << 23;
  return floats((bits(value) + exponent) & ~vanishes);
}

// x Φ(x), exact GELU; erf by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7).
inline Vec gelu(Vec x) {
  const Vec z = magnitude(x) * 0.70710678118f;
  const Vec t = 1.0f / (z * 0.3275911f + 1.0f);
  Vec p = broadcast(1.061405429f);
  p = p * t + -1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t + -0.284496736f;
  p = p * t + 0.254829592f;
  const Vec half_tail = p * t * exponential(-z * z) * 0.5f;  // (1 − erf z) / 2
  return x * select(x < Vec{}, half_tail, 1.0f - half_tail);
}

}  // namespace
