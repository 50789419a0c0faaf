// Prepared files: what is written is mapped again, bit by bit; what is wrong is refused, and prepared again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "ticket/model/checkpoint.h"
#include "ticket/model/linear.h"
#include "ticket/model/prepare.h"
#include "ticket/testing/toy_prepared.h"

namespace ticket::model {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr size_t outputs = 37, inputs = 53;  // multiples of nothing
constexpr const char* model_id = "org/toy";

template <typename Body>
std::string refused(const Body& body) {
  try {
    body();
  } catch (const flox::Error& error) {
    EXPECT_EQ(error.kind(), flox::ErrorKind::invalid_input);
    return error.what();
  }
  return "not refused";
}

// A file whose header has this text, with everything in front of it right.
std::string with_header(const std::string& text, std::string file, uint32_t version = prepared_version) {
  const uint32_t length = static_cast<uint32_t>(text.size());
  std::memcpy(file.data() + 8, &version, sizeof version);
  std::memcpy(file.data() + 12, &length, sizeof length);
  std::memcpy(file.data() + 16, flox::sha256(text).data(), 32);
  std::memcpy(file.data() + prepared_preamble, text.data(), text.size());
  return file;
}

// --- the header

TEST(PreparedHeader, IsReadAsItWasWritten) {
  const std::string file = toy_file();
  const PreparedHeader header = read_prepared_header(file, file.size());
  EXPECT_EQ(header.model, model_id);
  EXPECT_EQ(header.version, "toy@01234567");
  EXPECT_EQ(header.precision, Precision::int8_weights);
  EXPECT_EQ(header.layout.level, "x86-64-v3");
  EXPECT_EQ(header.source.bytes, 300);
  ASSERT_THAT(header.sections, SizeIs(4));
  EXPECT_EQ(header.bytes_of(header.sections[1]), 16 * 8)
      << "whole panels, inputs rounded up to a multiple of 4";
  for (const PreparedSection& section : header.sections) EXPECT_EQ(section.offset % prepared_alignment, 0);
}

TEST(PreparedHeader, RefusesWhatIsDamagedOrOfAnotherVersionOrSize) {
  const std::string file = toy_file();
  auto read = [](const std::string& bytes, size_t size) {
    return refused([&] { read_prepared_header(bytes, size); });
  };
  for (size_t at :
       {size_t{0}, size_t{3}, size_t{20}, size_t{50}, prepared_preamble, prepared_preamble + 100}) {
    std::string damaged = file;
    damaged[at] ^= 1;
    EXPECT_NE(read(damaged, file.size()), "not refused") << at;
  }
  EXPECT_THAT(read(with_header(prepared_text(file), file, 2), file.size()),
              HasSubstr("has version 2 of the format, where this program reads version 1"));
  EXPECT_THAT(read(file.substr(0, file.size() - 1), file.size() - 1), HasSubstr("its header says"));
  EXPECT_THAT(read(file + "x", file.size() + 1), HasSubstr("its header says"));
  EXPECT_THAT(read(file.substr(0, 100), file.size()), HasSubstr("not whole"));
  EXPECT_THAT(read("", 0), HasSubstr("not a prepared model"));
}

TEST(PreparedHeader, RefusesSectionsThatLieElsewhereOrHaveNoMeaning) {
  const std::string file = toy_file();
  auto changed = [&](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json header = flox::parse_json(prepared_text(file), "header");
    change(header);
    std::string text = header.dump();
    return refused([&] {
      std::string bytes = with_header(text, std::string("FLOXTWP\n") + std::string(file.size(), '\0'));
      read_prepared_header(bytes.substr(0, file.size()), file.size());
    });
  };
  EXPECT_EQ(changed([](auto&) {}), "not refused");
  auto& unchanged = "does not follow the one before it";
  EXPECT_THAT(changed([](auto& h) { h["sections"][1]["offset"] = 8193; }), HasSubstr(unchanged));
  EXPECT_THAT(changed([](auto& h) { h["sections"][1]["offset"] = 0; }), HasSubstr(unchanged));
  EXPECT_THAT(changed([](auto& h) { h["sections"][3]["shape"] = {1ull << 62}; }), testing::Ne("not refused"));
  EXPECT_THAT(changed([](auto& h) {
                h["sections"][1]["shape"] = {1ull << 40, 5};
              }),
              HasSubstr("panels of shape"));
  EXPECT_THAT(changed([](auto& h) { h["sections"][1]["dtype"] = "F64"; }), HasSubstr("panels of F64"));
  EXPECT_THAT(changed([](auto& h) { h["sections"][2]["name"] = "down.weight"; }),
              HasSubstr("does not belong"));
  EXPECT_THAT(changed([](auto& h) { h["sections"][2]["kind"] = "panels"; }), testing::Ne("not refused"));
  EXPECT_THAT(changed([](auto& h) { h["sections"].erase(3); }), HasSubstr("goes on behind"));
  EXPECT_THAT(changed([](auto& h) { h["panel"] = 0; }), HasSubstr("panels of 0 outputs"));
  EXPECT_THAT(changed([](auto& h) { h["files"]["../x"] = std::string(64, 'a'); }),
              HasSubstr("not the name of a file"));
  EXPECT_THAT(changed([](auto& h) { h["surprise"] = 1; }), HasSubstr("unknown member"));
}

// --- files

class Prepared : public testing::Test {
 protected:
  Prepared() { make_snapshot(1); }

  // A model of one layer and one vector.
  void make_snapshot(unsigned seed) {
    std::vector<float> numbers(outputs * inputs + outputs);
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = std::sin(static_cast<float>(i + seed * 1000)) * static_cast<float>(i % 7 + 1);
    const std::string header = fmt::format(
        R"({{"bias":{{"dtype":"F32","shape":[{0}],"data_offsets":[{2},{3}]}},"w":{{"dtype":"F32","shape":[{0},{1}],"data_offsets":[0,{2}]}}}})",
        outputs, inputs, outputs * inputs * 4, numbers.size() * 4);
    const uint64_t length = header.size();
    std::string file(reinterpret_cast<const char*>(&length), 8);
    file += header;
    file.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4);
    fs::create_directories(snapshot());
    flox::write_file(snapshot() / "model.safetensors", file);
    flox::write_file(snapshot() / "config.json", "{}");
  }
  fs::path snapshot() const { return root_.path() / "snapshot"; }
  fs::path directory() const { return root_.path() / "prepared"; }

  struct Toy {
    Checkpoint checkpoint;
    Linear layer;
    Toy(const fs::path& from, Precision precision, Packing packing)
        : checkpoint(Checkpoint::open(from, std::move(packing))),
          layer(checkpoint.packed({{"w"}}, outputs, inputs, precision, ThreadPool::shared()),
                checkpoint.floats("bias", {outputs})) {}
    std::vector<float> answer() const {
      std::vector<float> x(5 * inputs), y(5 * outputs);
      for (size_t i = 0; i < x.size(); ++i) x[i] = std::cos(static_cast<float>(i));
      layer.apply(x.data(), 5, y.data(), Activation::gelu, ThreadPool::shared());
      return y;
    }
  };
  PrepareResult prepare_toy(Precision precision,
                            const WeightLayout& layout = WeightLayout::of(kernels())) const {
    return prepare({.id = model_id,
                    .version = "toy",
                    .snapshot = snapshot(),
                    .precision = precision,
                    .layout = layout,
                    .load =
                        [this, precision](const Packing& packing) {
                          return std::make_shared<Toy>(snapshot(), precision, packing);
                        }},
                   directory());
  }
  PreparedChoice found(Precision precision, bool with_snapshot = true) const {
    return find_prepared({.id = model_id,
                          .precision = precision,
                          .snapshot = with_snapshot ? std::optional(snapshot()) : std::nullopt},
                         {directory()});
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory() / "models--org--toy"))
      names.push_back(entry.path().filename());
    return names;
  }
  static void flip(const fs::path& file, std::streamoff at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const char byte = static_cast<char>(stream.get() ^ 4);
    stream.seekp(at);
    stream.put(byte);
  }

  flox::TempDir root_;
};

constexpr Precision precisions[] = {Precision::fp32, Precision::fp16_weights, Precision::int8_weights};

TEST_F(Prepared, GiveTheSameBitsAsTheCheckpoint) {
  for (Precision precision : precisions) {
    const PrepareResult result = prepare_toy(precision);
    EXPECT_TRUE(result.written);
    EXPECT_THAT(result.directory.filename().string(),
                testing::StartsWith(fmt::format("v1-{}-{}-", to_string(precision), kernels().level)));
    const PreparedChoice choice = found(precision);
    ASSERT_THAT(choice.usable, SizeIs(1)) << to_string(precision);
    EXPECT_EQ(choice.usable[0].directory, result.directory);
    EXPECT_EQ(Toy(result.directory, precision, {}).answer(), Toy(snapshot(), precision, {}).answer());
  }
}

TEST_F(Prepared, AreMappedAndNotCopied) {
  const PrepareResult result = prepare_toy(Precision::fp32);
  const Checkpoint checkpoint = Checkpoint::open(result.directory);
  const PackedWeights weights =
      checkpoint.packed({{"w"}}, outputs, inputs, Precision::fp32, ThreadPool::shared());
  EXPECT_EQ(weights.memory.size(), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weights.panels) % prepared_alignment, 0);
}

TEST_F(Prepared, AreTheSameBytesEachTime) {
  const PrepareResult first = prepare_toy(Precision::fp16_weights);
  const std::string bytes = flox::read_file(first.directory / prepared_file_name);
  flox::remove_tree(directory());
  const PrepareResult second = prepare_toy(Precision::fp16_weights);
  EXPECT_EQ(first.directory, second.directory);
  EXPECT_EQ(bytes, flox::read_file(second.directory / prepared_file_name));
}

// A processor without the level that a file is for packs the file's weights again, if it has no checkpoint.
TEST_F(Prepared, ForAnotherLevelArePackedAgain) {
  for (Precision precision : precisions) {
    const WeightLayout other{.level = "other", .panel = kernels().panel == 8 ? 24u : 8u, .weight_limit = 127};
    const PrepareResult result = prepare_toy(precision, other);
    EXPECT_THAT(found(precision).usable, IsEmpty()) << "the checkpoint is better";
    EXPECT_THAT(found(precision).refused,
                testing::Contains(HasSubstr("prepared for the processor level other")));
    EXPECT_THAT(found(precision, false).usable, SizeIs(1));
    const std::vector<float> again = Toy(result.directory, precision, {}).answer(),
                             packed = Toy(snapshot(), precision, {}).answer();
    if (precision != Precision::int8_weights)
      EXPECT_EQ(again, packed);
    else
      // Rounded twice to 127 steps, by each level in its own way.
      EXPECT_THAT(again, testing::Pointwise(testing::FloatNear(std::ranges::max(packed) / 100), packed));
    flox::remove_tree(directory());
  }
}

TEST_F(Prepared, ForAsWidePanelsServeEveryLevel) {
  WeightLayout other = WeightLayout::of(kernels());
  other.level = "other";
  prepare_toy(Precision::fp32, other);
  EXPECT_THAT(found(Precision::fp32).usable, SizeIs(1));
  other.weight_limit -= 1;
  EXPECT_TRUE(other.serves(WeightLayout::of(kernels()), Precision::fp16_weights));
  EXPECT_FALSE(other.serves(WeightLayout::of(kernels()), Precision::int8_weights));
}

TEST_F(Prepared, AreTakenAsTheyAreTheSecondTime) {
  EXPECT_TRUE(prepare_toy(Precision::fp32).written);
  const auto time = fs::last_write_time(found(Precision::fp32).usable[0].directory / prepared_file_name);
  EXPECT_FALSE(prepare_toy(Precision::fp32).written);
  EXPECT_EQ(fs::last_write_time(found(Precision::fp32).usable[0].directory / prepared_file_name), time);
}

TEST_F(Prepared, WithAFlippedByteAreRefusedAndPreparedAgain) {
  const fs::path file = prepare_toy(Precision::fp32).directory / prepared_file_name;
  const std::string whole = flox::read_file(file);
  // In the header, in a section, in the last byte.
  for (size_t at : {size_t{100}, prepared_alignment + 5, whole.size() - 1}) {
    flip(file, static_cast<std::streamoff>(at));
    EXPECT_NE(refused([&] { Checkpoint::open(file.parent_path()); }), "not refused") << at;
    EXPECT_TRUE(prepare_toy(Precision::fp32).written) << at;
    EXPECT_EQ(flox::read_file(file), whole) << at;
    EXPECT_THAT(names(), SizeIs(1)) << "nothing is left of the damaged one";
  }
}

TEST_F(Prepared, OfAnotherSizeOrVersionAreRefusedAndPreparedAgain) {
  const fs::path file = prepare_toy(Precision::fp32).directory / prepared_file_name;
  const std::string whole = flox::read_file(file);
  for (const std::string& other : {whole.substr(0, whole.size() - 1), whole + "x", whole.substr(0, 10),
                                   std::string(), with_header(prepared_text(whole), whole, 7)}) {
    flox::write_file(file, other);
    EXPECT_THAT(found(Precision::fp32).usable, IsEmpty());
    EXPECT_THAT(found(Precision::fp32).refused, SizeIs(1));
    EXPECT_TRUE(prepare_toy(Precision::fp32).written);
    EXPECT_EQ(flox::read_file(file), whole);
  }
}

TEST_F(Prepared, FromOtherWeightsOrFilesAreRefusedAndReplaced) {
  prepare_toy(Precision::fp32);
  make_snapshot(2);
  EXPECT_THAT(found(Precision::fp32).refused, ElementsAre(HasSubstr("from other weights than those of")));
  EXPECT_THAT(found(Precision::fp32, false).usable, SizeIs(1)) << "by itself it is as good as ever";
  EXPECT_TRUE(prepare_toy(Precision::fp32).written);
  EXPECT_THAT(names(), SizeIs(1));
  flox::write_file(snapshot() / "config.json", "{ }");
  EXPECT_THAT(found(Precision::fp32).refused,
              ElementsAre(HasSubstr("config.json is not the one with which")));
  flox::write_file(snapshot() / "config.json", "{}");
  flox::write_file(snapshot() / "tokenizer.json", "{}");
  EXPECT_THAT(found(Precision::fp32).refused, ElementsAre(HasSubstr("tokenizer.json was not there")));
}

TEST_F(Prepared, WhoseConfigurationWasChangedAreRefused) {
  const fs::path place = prepare_toy(Precision::fp32).directory;
  flox::write_file(place / "config.json", "{ }");
  EXPECT_THAT(refused([&] { Checkpoint::open(place); }), HasSubstr("config.json is not the one with which"));
  EXPECT_TRUE(prepare_toy(Precision::fp32).written);
  EXPECT_EQ(flox::read_file(place / "config.json"), "{}");
}

TEST_F(Prepared, ThatAreMappedOutliveTheirReplacement) {
  const Toy mapped(prepare_toy(Precision::fp32).directory, Precision::fp32, {});
  const std::vector<float> before = mapped.answer();
  make_snapshot(2);
  prepare_toy(Precision::fp32);
  EXPECT_EQ(mapped.answer(), before);
}

TEST_F(Prepared, ByManyAtOnceAreWrittenOnce) {
  std::atomic<int> written = 0, loaded = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        const PrepareResult result =
            prepare({.id = model_id,
                     .version = "toy",
                     .snapshot = snapshot(),
                     .load =
                         [&](const Packing& packing) {
                           ++loaded;
                           return std::make_shared<Toy>(snapshot(), Precision::fp32, packing);
                         }},
                    directory());
        written += result.written;
      });
  }
  EXPECT_EQ(written, 1);
  EXPECT_EQ(loaded, 1) << "the others wait for the lock, and then find it";
  EXPECT_THAT(names(), SizeIs(1));
}

TEST_F(Prepared, LeaveNothingWhenTheyFail) {
  EXPECT_THROW(prepare({.id = model_id,
                        .version = "toy",
                        .snapshot = snapshot(),
                        .load = [](const Packing&) -> std::shared_ptr<void> {
                          flox::fail(flox::ErrorKind::invalid_input, "damaged");
                        }},
                       directory()),
               flox::Error);
  EXPECT_THAT(names(), IsEmpty());
  // What a killed process left goes with the next one.
  fs::create_directories(directory() / "models--org--toy" / ".preparing-abcdef");
  prepare_toy(Precision::fp32);
  EXPECT_THAT(names(), SizeIs(1));
}

TEST_F(Prepared, OfAnotherModelAreRefusedWhereTheirLayersAreMissing) {
  const fs::path place = prepare_toy(Precision::fp32).directory;
  const Checkpoint checkpoint = Checkpoint::open(place);
  ThreadPool& pool = ThreadPool::shared();
  EXPECT_THAT(refused([&] { checkpoint.packed({{"v"}}, outputs, inputs, Precision::fp32, pool); }),
              HasSubstr("not in the prepared file"));
  EXPECT_THAT(refused([&] { checkpoint.packed({{"w"}}, inputs, outputs, Precision::fp32, pool); }),
              HasSubstr("its shape is [37, 53], where config.json means [53, 37]"));
  EXPECT_THAT(refused([&] { checkpoint.packed({{"w"}}, outputs, inputs, Precision::fp16_weights, pool); }),
              HasSubstr("prepared in F32"));
}

TEST(StoreVerified, IsOnlyWhatStandsInTheStoreAndNobodyCanWrite) {
  flox::TempDir directory;
  flox::write_file(directory.path() / "a", "x", 0444);
  EXPECT_FALSE(is_verified_by_store(directory.path() / "a"));
  EXPECT_FALSE(is_verified_by_store("/nix/store/00000000000000000000000000000000-none/a"));
}

}  // namespace
}  // namespace ticket::model
