// The kernels against plain loops; the search, against a toy language.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/beam_search.h"
#include "ticket/model/kernel.h"
#include "ticket/model/linear.h"
#include "ticket/model/thread_pool.h"
#include "ticket/testing/byte_products.h"

namespace ticket::model {
namespace {

using testing::ElementsAre;

std::vector<float> random_floats(size_t count, unsigned seed, float deviation = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

// --- linear layers

class LinearLayer : public testing::TestWithParam<const char*> {
 protected:
  // A checkpoint with one matrix "w" of [outputs, inputs].
  Checkpoint checkpoint(const std::vector<float>& weights, size_t outputs, size_t inputs) {
    const std::string header =
        fmt::format(R"({{"w":{{"dtype":"F32","shape":[{},{}],"data_offsets":[0,{}]}}}})", outputs, inputs,
                    weights.size() * 4);
    const uint64_t length = header.size();
    std::string file(reinterpret_cast<const char*>(&length), 8);
    file += header;
    file.append(reinterpret_cast<const char*>(weights.data()), weights.size() * 4);
    flox::write_file(directory_.path() / "model.safetensors", file);
    return Checkpoint::open(directory_.path());
  }

  // The largest difference to the plain loop, relative to the deviation of the result.
  double error(Precision precision, size_t rows, size_t inputs, size_t outputs, Activation activation) {
    std::vector<float> weights = random_floats(outputs * inputs, 1);
    if (precision == Precision::fp16_weights)
      for (float& weight : weights) weight = half_to_float(float_to_half(weight));
    const std::vector<float> bias = random_floats(outputs, 2), x = random_floats(rows * inputs, 3);
    Checkpoint file = checkpoint(weights, outputs, inputs);
    ThreadPool pool(2);
    Linear linear(file.packed({{"w"}}, outputs, inputs, precision, pool), bias);
    std::vector<float> y(rows * outputs);
    linear.apply(x.data(), rows, y.data(), activation, pool);
    double worst = 0;
    for (size_t r = 0; r < rows; ++r)
      for (size_t o = 0; o < outputs; ++o) {
        double sum = bias[o];
        for (size_t i = 0; i < inputs; ++i)
          sum += static_cast<double>(x[r * inputs + i]) * weights[o * inputs + i];
        if (activation == Activation::gelu) sum *= 0.5 * (1 + std::erf(sum / std::sqrt(2.0)));
        if (activation == Activation::relu) sum = std::max(sum, 0.0);
        worst = std::max(worst, std::abs(sum - y[r * outputs + o]) / std::sqrt(static_cast<double>(inputs)));
      }
    return worst;
  }

  flox::TempDir directory_;
};

TEST_F(LinearLayer, IsTheProductForAnyShape) {
  for (size_t rows : {1, 2, 5, 6, 7, 13, 40, 101})
    for (size_t outputs : {1, 15, 16, 33, 64})
      for (Precision precision : {Precision::fp32, Precision::fp16_weights})
        EXPECT_LT(error(precision, rows, 37, outputs, Activation::none), 1e-5) << rows << " × " << outputs;
  EXPECT_LT(error(Precision::fp32, 7, 1030, 48, Activation::none), 1e-5)
      << "more inputs than a block of the depth";
  EXPECT_LT(error(Precision::fp16_weights, 40, 1030, 48, Activation::none), 1e-5);
}

TEST_F(LinearLayer, AppliesItsActivation) {
  EXPECT_LT(error(Precision::fp32, 9, 64, 40, Activation::gelu), 1e-5);
  EXPECT_LT(error(Precision::fp32, 9, 64, 40, Activation::relu), 1e-5);
}

TEST_F(LinearLayer, InBytesIsNearTheProduct) {
  for (size_t rows : {1, 3, 4, 9, 40})
    for (size_t outputs : {1, 16, 33})
      EXPECT_LT(error(Precision::int8_weights, rows, 253, outputs, Activation::none), 0.06)
          << rows << " × " << outputs;
}

TEST_F(LinearLayer, InBytesRefusesWeightsThatAreNoNumbers) {
  for (float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> weights = random_floats(3 * 20, 1);
    weights[25] = wrong;
    Checkpoint file = checkpoint(weights, 3, 20);
    ThreadPool pool(1);
    EXPECT_THROW(file.packed({{"w"}}, 3, 20, Precision::int8_weights, pool), flox::Error);
  }
}

TEST_F(LinearLayer, InBytesOfWeightsNearNothingIsNothing) {
  const std::vector<float> weights(3 * 20, 1e-42f), x(20, 1e3f);
  Checkpoint file = checkpoint(weights, 3, 20);
  ThreadPool pool(1);
  std::vector<float> y(3, 7);
  Linear(file.packed({{"w"}}, 3, 20, Precision::int8_weights, pool))
      .apply(x.data(), 1, y.data(), Activation::none, pool);
  EXPECT_THAT(y, testing::Each(testing::FloatNear(0, 1e-30f)));
}

TEST_F(LinearLayer, InBytesRefusesMoreInputsThanItsSumsHold) {
  const size_t inputs = max_byte_depth + 1;
  Checkpoint file = checkpoint(std::vector<float>(inputs, 1), 1, inputs);
  ThreadPool pool(1);
  EXPECT_THROW(file.packed({{"w"}}, 1, inputs, Precision::int8_weights, pool), flox::Error);
}

// --- bytes, of every level that this processor runs

TEST(Bytes, AreMultipliedExactlyByEveryLevel) {
  ASSERT_FALSE(runnable_kernels().empty());
  for (const Kernels* level : runnable_kernels()) EXPECT_EQ(wrong_byte_products(*level), "");
}

TEST(Bytes, AreNearestToTheirNumbersWithEveryLevel) {
  for (const Kernels* level : runnable_kernels()) {
    for (size_t count : {1, 3, 16, 50, 64, 1000}) {
      for (float shift : {0.0f, 3.0f, -3.0f, 100.0f, -100.0f}) {
        std::vector<float> row = random_floats(count, 4);
        for (float& value : row) value += shift;
        std::vector<uint8_t> bytes((count + 3) / 4 * 4);
        const ByteRow found = level->quantise(row.data(), count, bytes.data());
        EXPECT_GE(found.zero, 0);
        EXPECT_LE(found.zero, 255);
        for (size_t i = 0; i < count; ++i)
          EXPECT_NEAR(found.scale * static_cast<float>(bytes[i] - found.zero), row[i], found.scale * 1.001)
              << level->level;
      }
    }
  }
}

TEST(Bytes, OfARowOfZerosAreZeros) {
  for (const Kernels* level : runnable_kernels()) {
    const std::vector<float> row(37);
    std::vector<uint8_t> bytes(40, 9);
    const ByteRow found = level->quantise(row.data(), row.size(), bytes.data());
    EXPECT_EQ(found.scale, 0) << level->level;
    EXPECT_EQ(found.zero, 0);
    EXPECT_THAT(bytes, testing::Each(0));
  }
}

TEST(Bytes, OfNumbersNearNothingAreZeros) {
  for (const Kernels* level : runnable_kernels())
    for (float tiny : {1e-45f, 1e-40f, 1e-37f, -1e-40f}) {
      const std::vector<float> row(37, tiny);
      std::vector<uint8_t> bytes(40);
      const ByteRow found = level->quantise(row.data(), row.size(), bytes.data());
      EXPECT_EQ(found.zero, 0) << level->level;
      EXPECT_LT(found.scale, 1e-30f);
      EXPECT_THAT(bytes, testing::Each(0));
    }
}

TEST(Bytes, CannotHoldWhatIsNoNumberAndSayIt) {
  for (const Kernels* level : runnable_kernels())
    for (float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                        -std::numeric_limits<float>::infinity()})
      for (size_t place : {0, 17, 36}) {
        std::vector<float> row = random_floats(37, 4);
        row[place] = wrong;
        std::vector<uint8_t> bytes(40);
        EXPECT_TRUE(std::isnan(level->quantise(row.data(), row.size(), bytes.data()).scale)) << level->level;
      }
}

// --- other kernels

TEST(Kernel, SoftmaxAndLogSumExpAgreeWithTheirDefinition) {
  for (size_t count : {1, 3, 16, 50, 64, 1000}) {
    std::vector<float> row = random_floats(count, 4, 5);
    double top = -1e30, sum = 0;
    for (float value : row) top = std::max<double>(top, value);
    for (float value : row) sum += std::exp(value - top);
    std::vector<float> maxima((count + maxima_block - 1) / maxima_block);
    EXPECT_NEAR(kernels().log_sum_exp(row.data(), count, maxima.data()), top + std::log(sum), 1e-5);
    EXPECT_EQ(*std::ranges::max_element(maxima), *std::ranges::max_element(row));
    std::vector<float> soft = row;
    kernels().softmax(soft.data(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_NEAR(soft[i], std::exp(row[i] - top) / sum, 1e-6);
  }
}

TEST(Kernel, WidensEveryHalfWithEveryLevel) {
  std::vector<uint16_t> halves(65536 + 5);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  for (const Kernels* level : runnable_kernels()) {
    std::vector<float> floats(halves.size());
    level->widen(halves.data(), halves.size(), floats.data());
    for (size_t i = 0; i < halves.size(); ++i) {
      const float expected = half_to_float(halves[i]);
      if (std::isnan(expected))
        EXPECT_TRUE(std::isnan(floats[i])) << level->level << ": " << i;
      else
        EXPECT_EQ(std::bit_cast<uint32_t>(floats[i]), std::bit_cast<uint32_t>(expected))
            << level->level << ": " << i;
    }
  }
}

TEST(Kernel, LayerNormIsNormal) {
  for (size_t count : {16, 50, 384}) {
    std::vector<float> row = random_floats(count, 5, 3), residual = random_floats(count, 6);
    const std::vector<float> gain = random_floats(count, 7), shift = random_floats(count, 8);
    double mean = 0, variance = 0;
    for (size_t i = 0; i < count; ++i) mean += (row[i] + residual[i]) / static_cast<double>(count);
    for (size_t i = 0; i < count; ++i)
      variance += std::pow(row[i] + residual[i] - mean, 2) / static_cast<double>(count);
    std::vector<float> expected(count);
    for (size_t i = 0; i < count; ++i)
      expected[i] =
          static_cast<float>((row[i] + residual[i] - mean) / std::sqrt(variance + 1e-5) * gain[i] + shift[i]);
    kernels().layer_norm(row.data(), residual.data(), gain.data(), shift.data(), count, 1e-5f);
    EXPECT_THAT(row, testing::Pointwise(testing::FloatNear(1e-5f), expected));
  }
}

TEST(Kernel, AttentionLooksOnlyAtItsPlaces) {
  const size_t heads = 2, size = 16, stride = heads * size;
  const std::vector<float> query = random_floats(stride, 9), keys = random_floats(9 * stride, 10),
                           values = random_floats(9 * stride, 11);
  const std::vector<uint32_t> places{7, 0, 3};
  std::vector<float> scores(places.size()), out(stride);
  kernels().attend({.query = query.data(),
                    .keys = keys.data(),
                    .values = values.data(),
                    .stride = stride,
                    .places = places.data(),
                    .positions = places.size(),
                    .heads = heads,
                    .head_size = size,
                    .scale = 0.25f,
                    .scores = scores.data(),
                    .out = out.data()});
  for (size_t head = 0; head < heads; ++head) {
    std::vector<double> weight;
    double sum = 0;
    for (uint32_t place : places) {
      double dot = 0;
      for (size_t i = 0; i < size; ++i)
        dot += query[head * size + i] * keys[place * stride + head * size + i];
      weight.push_back(std::exp(dot * 0.25));
      sum += weight.back();
    }
    for (size_t i = 0; i < size; ++i) {
      double expected = 0;
      for (size_t p = 0; p < places.size(); ++p)
        expected += weight[p] / sum * values[places[p] * stride + head * size + i];
      EXPECT_NEAR(out[head * size + i], expected, 1e-5);
    }
  }
}

TEST(ThreadPool, RunsEveryIndexOnce) {
  ThreadPool pool(3);
  for (size_t count : {0, 1, 2, 100, 1000}) {
    for (size_t operations : {1, 1000, 10'000'000}) {
      std::vector<std::atomic<int>> calls(count);
      pool.for_each(count, operations, [&](size_t i) { ++calls[i]; });
      for (auto& called : calls) EXPECT_EQ(called, 1);
    }
  }
}

// --- beam search

constexpr int32_t start = 2, end = 2, a = 10, b = 11, c = 12;

SearchConfig two_beams() {
  return {.beams = 2,
          .length_penalty = 1,
          .early_stopping = SearchConfig::EarlyStopping::yes,
          .no_repeat_ngram = 0,
          .start = start,
          .end = end,
          .forced_first = 0,
          .forced_last = end};
}

TEST(BeamSearch, TakesPrescribedTokensWithoutAsking) {
  BeamSearch search(two_beams(), {.min_length = 0, .max_length = 4});
  EXPECT_TRUE(search.take_forced());
  EXPECT_THAT(search.beams()[0].tokens, ElementsAre(start, 0));
  EXPECT_FALSE(search.take_forced());
  search.advance(std::vector<std::vector<Candidate>>{{{a, -1}, {b, -2}, {c, -3}}});
  EXPECT_EQ(search.beams().size(), 2u);
  EXPECT_TRUE(search.take_forced());
  EXPECT_TRUE(search.done());
  EXPECT_THAT(search.best(), ElementsAre(start, 0, a, end));
}

TEST(BeamSearch, AnEndAmongTheBestBeamsFinishesAndALaterOneDoesNot) {
  SearchConfig config = two_beams();
  config.forced_first.reset();
  BeamSearch search(config, {.min_length = 0, .max_length = 10});
  // The end token is third: not among the best two.
  search.advance(std::vector<std::vector<Candidate>>{{{a, -1}, {b, -2}, {end, -3}, {c, -4}}});
  EXPECT_EQ(search.beams().size(), 2u);
  // Now it is second; the search goes on with the third and first.
  search.advance(std::vector<std::vector<Candidate>>{{{a, -1}, {end, -1.5f}}, {{b, -1}, {c, -3}}});
  ASSERT_EQ(search.beams().size(), 2u);
  EXPECT_THAT(search.beams()[0].tokens, ElementsAre(start, a, a));
  EXPECT_THAT(search.beams()[1].tokens, ElementsAre(start, b, b));
  EXPECT_EQ(search.beams()[1].parent, 1u);
  EXPECT_FALSE(search.done()) << "one of two is finished";
  search.advance(std::vector<std::vector<Candidate>>{{{end, -0.1f}, {a, -9}}, {{b, -9}, {c, -9}}});
  EXPECT_TRUE(search.done());
  EXPECT_THAT(search.best(), ElementsAre(start, a, a, end)) << "-2.1 of 3 tokens beats -2.5 of 2";
}

TEST(BeamSearch, LengthPenaltyDecidesBetweenShortAndLong) {
  for (double penalty : {0.0, 2.0}) {
    SearchConfig config = two_beams();
    config.forced_first.reset();
    config.length_penalty = penalty;
    BeamSearch search(config, {.min_length = 0, .max_length = 10});
    search.advance(std::vector<std::vector<Candidate>>{{{end, -2}, {a, -1.5f}}});
    search.advance(std::vector<std::vector<Candidate>>{{{end, -1}, {a, -9}}});
    ASSERT_TRUE(search.done());
    EXPECT_EQ(search.best().size(), penalty == 0 ? 2u : 3u);
  }
}

TEST(BeamSearch, BansTheEndBeforeTheMinimumAndRepeatedTriples) {
  SearchConfig config = two_beams();
  config.no_repeat_ngram = 3;
  config.forced_first.reset();
  BeamSearch search(config, {.min_length = 4, .max_length = 50});
  auto feed = [&](int32_t token) {
    search.advance(std::vector<std::vector<Candidate>>(search.beams().size(), {{token, -1}}));
  };
  EXPECT_THAT(search.banned(0), ElementsAre(end));
  for (int32_t token : {a, b, c, a, b}) feed(token);
  EXPECT_THAT(search.banned(0), ElementsAre(c));
}

TEST(BeamSearch, RefusesLimitsWithoutMeaning) {
  EXPECT_THROW(BeamSearch(two_beams(), {.min_length = 0, .max_length = 2}), flox::Error);
  EXPECT_THROW(BeamSearch(two_beams(), {.min_length = 10, .max_length = 9}), flox::Error);
}

}  // namespace
}  // namespace ticket::model
