// The kernels of one level. Compiled several times: TICKET_LEVEL is the level's name as an identifier, and
// the compiler's options say what processor it is for.
#include "ticket/model/kernel.h"
#include "ticket/model/kernel_bytes.h"
#include "ticket/model/kernel_product.h"
#include "ticket/model/kernel_simd.h"

namespace {

using ticket::model::CachedAttention;
using ticket::model::maxima_block;

// The elements of a row that do not fill a vector, with `filler` behind them.
inline Vec load_tail(const float* from, size_t count, float filler) {
  Vec value = broadcast(filler);
  __builtin_memcpy(&value, from, count * sizeof(float));
  return value;
}

void layer_norm(float* row, const float* residual, const float* gain, const float* shift, size_t count,
                float epsilon) {
  if (residual)
    for (size_t i = 0; i < count; ++i) row[i] += residual[i];
  Vec total{};
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) total += load(row + i);
  if (i < count) total += load_tail(row + i, count - i, 0);
  const float mean = sum(total) / static_cast<float>(count);
  Vec squares{};
  for (i = 0; i + lanes <= count; i += lanes) {
    const Vec distance = load(row + i) - mean;
    squares += distance * distance;
  }
  if (i < count) {
    const Vec distance = load_tail(row + i, count - i, mean) - mean;
    squares += distance * distance;
  }
  const float variance = sum(squares) / static_cast<float>(count);
  const float factor = 1.0f / __builtin_sqrtf(variance + epsilon);
  for (i = 0; i < count; ++i) row[i] = (row[i] - mean) * factor * gain[i] + shift[i];
}

float largest_of(const float* row, size_t count) {
  Vec best = broadcast(-__builtin_inff());
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) best = maximum(load(row + i), best);
  if (i < count) best = maximum(load_tail(row + i, count - i, -__builtin_inff()), best);
  return largest(best);
}

void softmax(float* row, size_t count) {
  const float top = largest_of(row, count);
  Vec total{};
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const Vec value = exponential(load(row + i) - top);
    store(row + i, value);
    total += value;
  }
  if (i < count) {
    const Vec value = exponential(load_tail(row + i, count - i, -__builtin_inff()) - top);
    __builtin_memcpy(row + i, &value, (count - i) * sizeof(float));
    total += value;
  }
  const float factor = 1.0f / sum(total);
  for (i = 0; i < count; ++i) row[i] *= factor;
}

float log_sum_exp(const float* row, size_t count, float* maxima) {
  float top = -__builtin_inff();
  for (size_t begin = 0, block = 0; begin < count; begin += maxima_block, ++block) {
    maxima[block] = largest_of(row + begin, count - begin < maxima_block ? count - begin : maxima_block);
    top = maxima[block] > top ? maxima[block] : top;
  }
  double total = 0;
  for (size_t begin = 0; begin < count; begin += maxima_block) {
    const size_t end = count - begin < maxima_block ? count : begin + maxima_block;
    Vec part{};
    size_t i = begin;
    for (; i + lanes <= end; i += lanes) part += exponential(load(row + i) - top);
    if (i < end) part += exponential(load_tail(row + i, end - i, -__builtin_inff()) - top);
    total += sum(part);
  }
  return top + static_cast<float>(__builtin_log(total));
}

void attend(const CachedAttention& a) {
  for (size_t head = 0; head < a.heads; ++head) {
    const size_t offset = head * a.head_size;
    for (size_t t = 0; t < a.positions; ++t) {
      const float* key = a.keys + a.places[t] * a.stride + offset;
      Vec total{};
      for (size_t i = 0; i < a.head_size; i += lanes) total += load(a.query + offset + i) * load(key + i);
      a.scores[t] = sum(total) * a.scale;
    }
    softmax(a.scores, a.positions);
    for (size_t i = 0; i < a.head_size; i += lanes) {
      Vec total{};
      for (size_t t = 0; t < a.positions; ++t)
        total += load(a.values + a.places[t] * a.stride + offset + i) * a.scores[t];
      store(a.out + offset + i, total);
    }
  }
}

void widen(const uint16_t* halves, size_t count, float* to) {
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) store(to + i, load_half(halves + i));
  if (i < count) {
    uint16_t tail[lanes] = {};
    __builtin_memcpy(tail, halves + i, (count - i) * sizeof *halves);
    const Vec value = load_half(tail);
    __builtin_memcpy(to + i, &value, (count - i) * sizeof(float));
  }
}

}  // namespace

#define TEXT_OF(x) #x
#define NAME_OF(level) TEXT_OF(level)
#define JOINED(a, b) a##b
#define TABLE_OF(level) JOINED(kernels_, level)

namespace ticket::model {

extern const Kernels TABLE_OF(TICKET_LEVEL);
const Kernels TABLE_OF(TICKET_LEVEL) = {
    .level = TICKET_LEVEL_NAME,
    .panel = panel_width,
    .weight_limit = weight_limit,
    .multiply_f32 = multiply<float>,
    .multiply_f16 = multiply<uint16_t>,
    .multiply_i8 = multiply_bytes,
    .quantise = quantise,
    .layer_norm = layer_norm,
    .softmax = softmax,
    .log_sum_exp = log_sum_exp,
    .attend = attend,
    .widen = widen,
};

}  // namespace ticket::model
