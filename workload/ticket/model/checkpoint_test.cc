// Checkpoint files: safetensors, and pickles of torch.save, which are read and never executed.
#include "ticket/model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/pickle.h"
#include "ticket/model/safetensors.h"
#include "ticket/model/torch_file.h"
#include "ticket/model/zip_directory.h"
#include "ticket/testing/hostile_texts.h"

namespace ticket::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::string little_endian(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string floats(std::initializer_list<float> values) {
  std::string bytes;
  for (float value : values) bytes += little_endian(value);
  return bytes;
}

std::string safetensors(const std::string& header, const std::string& data) {
  return little_endian<uint64_t>(header.size()) + header + data;
}

std::vector<float> values(const Tensor& tensor) {
  std::vector<float> result(tensor.elements());
  copy_floats(tensor, 0, result.size(), result.data());
  return result;
}

template <typename Body>
std::string refusal(Body&& body) {
  try {
    body();
  } catch (const flox::Error& error) {
    EXPECT_EQ(error.kind(), flox::ErrorKind::invalid_input);
    return error.what();
  }
  return "not refused";
}

// --- halves

TEST(Half, EveryOneSurvivesTheWayToFloatAndBack) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = half_to_float(static_cast<uint16_t>(half));
    if (std::isnan(value))
      EXPECT_GT(half & 0x7fff, 0x7c00u);
    else
      ASSERT_EQ(float_to_half(value), half);
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(float_to_half(1.0f + 0x1p-11f), 0x3c00);  // halfway between 1 and its successor
  EXPECT_EQ(float_to_half(1.0f + 0x1.8p-10f), 0x3c02);
  EXPECT_EQ(float_to_half(1.0f + 0x1.002p-11f), 0x3c01);
  EXPECT_EQ(float_to_half(65519.0f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(-0x1p-25f), 0x8000);
  EXPECT_EQ(float_to_half(0x1.8p-25f), 0x0001);
}

// --- safetensors

TEST(Safetensors, GivesTensorsWithinTheFile) {
  const std::string file = safetensors(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},"odd":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})",
      floats({1.5f, -2}) + std::string("\x00\x3c\x00\xc0", 4));
  TensorMap tensors = read_safetensors(file);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_THAT(values(tensors.at("a")), ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(tensors.at("a").shape, ElementsAre(1u, 2u));
  EXPECT_THAT(values(tensors.at("b")), ElementsAre(1.0f, -2.0f));
}

TEST(Safetensors, RefusesWhatDoesNotFitTogether) {
  auto refused = [](const std::string& tensor) {
    const std::string file = safetensors("{\"t\":" + tensor + "}", std::string(8, '\0'));
    return refusal([&] { read_safetensors(file); });
  };
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"),
              HasSubstr("tensor t: its 8 bytes"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})"), HasSubstr("not within"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), HasSubstr("not within"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,8]})"), HasSubstr("natural numbers"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
              HasSubstr("larger than any memory"));
  EXPECT_THAT(refused("[]"), HasSubstr("not described by an object"));
  EXPECT_THAT(refusal([] { read_safetensors("short"); }), HasSubstr("only 5 bytes"));
  EXPECT_THAT(refusal([] { read_safetensors(little_endian<uint64_t>(1 << 20) + "{}"); }),
              HasSubstr("not a whole"));
  EXPECT_THAT(refusal([] { read_safetensors(safetensors("no", "")); }), HasSubstr("header:1:2: not JSON"));
  EXPECT_THAT(refusal([] { read_safetensors(safetensors("[]", "")); }), HasSubstr("not a JSON object"));
}

TEST(Safetensors, RefusesAHeaderThatIsNestedOrLargerThanAny) {
  for (const std::string& value : nested_values(1'000'000)) {
    EXPECT_THAT(refusal([&] { read_safetensors(safetensors(value, "")); }), HasSubstr("nested more than"));
    EXPECT_THAT(refusal([&] { read_safetensors(safetensors(R"({"t":{"shape":)" + value + "}}", "")); }),
                HasSubstr("nested more than"));
  }
  const std::string large(17 << 20, ' ');
  EXPECT_THAT(refusal([&] { read_safetensors(safetensors(large, "")); }), HasSubstr("not a whole"));
}

TEST(Pickle, BoundsItsInstructionsNotOnlyItsValues) {
  // One value that is put on the stack again and again.
  std::string_view endless;
  const std::string text =
      "\x80\x02Nq" + std::string(1, '\0') + repeated(std::string_view("h\0", 2), 8'000'000);
  endless = text;
  EXPECT_THAT(refusal([&] { Pickle::read(endless); }), HasSubstr("instructions"));
}

// --- pickles, as Python's pickletools.dis shows them

// A state dict {"w": tensor of `shape`, row-major, beginning at element `first` of storage "0"}.
std::string pickled_state(const std::string& storage_type, uint8_t count, const std::string& shape,
                          const std::string& strides, uint8_t first = 0) {
  return "\x80\x02"
         "ccollections\nOrderedDict\n)R("
         "X" +
         little_endian<uint32_t>(1) + "w" + "ctorch._utils\n_rebuild_tensor_v2\n((X" +
         little_endian<uint32_t>(7) +
         "storage"
         "ctorch\n" +
         storage_type + "\nX" + little_endian<uint32_t>(1) + "0X" + little_endian<uint32_t>(3) + "cpuK" +
         std::string(1, static_cast<char>(count)) + "tQK" + std::string(1, static_cast<char>(first)) + shape +
         strides +
         "\x89"
         "ccollections\nOrderedDict\n)RtRu}X" +
         little_endian<uint32_t>(9) + "_metadata" + "ccollections\nOrderedDict\n)Rsb.";
}

std::string legacy_file(const std::string& state, const std::string& storage) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  const std::string protocol("\x80\x02M\xe9\x03.", 6);
  const std::string keys = "\x80\x02]X" + little_endian<uint32_t>(1) + "0a.";
  return magic + protocol + "\x80\x02}." + state + keys + little_endian<uint64_t>(storage.size() / 4) +
         storage;
}

// A zip archive of members without compression.
std::string zip(const std::vector<std::pair<std::string, std::string>>& members, uint16_t method = 0) {
  std::string file, directory;
  for (const auto& [name, bytes] : members) {
    const std::string sizes = little_endian<uint32_t>(0) +
                              little_endian<uint32_t>(static_cast<uint32_t>(bytes.size())) +
                              little_endian<uint32_t>(static_cast<uint32_t>(bytes.size())) +
                              little_endian<uint16_t>(static_cast<uint16_t>(name.size()));
    directory += little_endian<uint32_t>(0x02014b50) + std::string(6, '\0') + little_endian(method) +
                 std::string(4, '\0') + sizes + std::string(12, '\0') +
                 little_endian<uint32_t>(static_cast<uint32_t>(file.size())) + name;
    file += little_endian<uint32_t>(0x04034b50) + std::string(4, '\0') + little_endian(method) +
            std::string(4, '\0') + sizes + std::string(2, '\0') + name + bytes;
  }
  const auto count = little_endian<uint16_t>(static_cast<uint16_t>(members.size()));
  return file + directory + little_endian<uint32_t>(0x06054b50) + std::string(4, '\0') + count + count +
         little_endian<uint32_t>(static_cast<uint32_t>(directory.size())) +
         little_endian<uint32_t>(static_cast<uint32_t>(file.size())) + std::string(2, '\0');
}

TEST(TorchFile, ReadsTheArchiveOfLaterVersions) {
  const std::string state = pickled_state("FloatStorage", 5, "K\x02K\x02\x86", "K\x02K\x01\x86", 1);
  const std::string file =
      zip({{"m/data.pkl", state}, {"m/byteorder", "little"}, {"m/data/0", floats({9, 1, 2, 3, 4})}});
  TensorMap tensors = read_torch_file(file);
  EXPECT_THAT(values(tensors.at("w")), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(tensors.at("w").shape, ElementsAre(2u, 2u));
}

TEST(TorchFile, ReadsTheFormatOfEarlierVersions) {
  const std::string file =
      legacy_file(pickled_state("FloatStorage", 2, "K\x02\x85", "K\x01\x85"), floats({7, 8}));
  EXPECT_THAT(values(read_torch_file(file).at("w")), ElementsAre(7, 8));
  EXPECT_THAT(refusal([&] { read_torch_file(std::string_view(file).substr(0, file.size() - 1)); }),
              HasSubstr("cut short"));
}

TEST(TorchFile, RefusesATensorThatReachesBeyondItsStorage) {
  const std::string state = pickled_state("FloatStorage", 2, "K\x02\x85", "K\x01\x85", 1);
  const std::string file = zip({{"m/data.pkl", state}, {"m/data/0", floats({7, 8})}});
  EXPECT_THAT(refusal([&] { read_torch_file(file); }), HasSubstr("tensor w: its storage holds 8 bytes"));
}

TEST(TorchFile, RefusesAnArchiveThatIsCutShortOrCompressed) {
  const std::string state = pickled_state("FloatStorage", 2, "K\x02\x85", "K\x01\x85");
  const std::string file = zip({{"m/data.pkl", state}, {"m/data/0", floats({7, 8})}});
  EXPECT_THAT(refusal([&] { read_torch_file(std::string_view(file).substr(0, file.size() - 30)); }),
              HasSubstr("cut short"));
  EXPECT_THAT(refusal([&] { read_torch_file(zip({{"m/data.pkl", state}}, 8)); }), HasSubstr("compressed"));
  EXPECT_THAT(refusal([&] { read_torch_file("neither"); }), HasSubstr("neither a zip archive nor a pickle"));
}

std::string refused_pickle(std::string pickle) {
  return refusal([&] {
    std::string_view bytes = pickle;
    Pickle::read(bytes);
  });
}

TEST(Pickle, CallsNothing) {
  // What pickle.dumps makes of an object whose __reduce__ is (os.system, ("touch /tmp/owned",)).
  EXPECT_THAT(refused_pickle("\x80\x02"
                             "cposix\nsystem\nX\x05" +
                             std::string(3, '\0') + "touch\x85R."),
              HasSubstr("calls posix.system, which no checkpoint needs: refused"));
  EXPECT_THAT(refused_pickle("\x80\x04\x8c\x08"
                             "builtins\x8c\x04"
                             "eval\x93\x8c\x01"
                             "1\x85R."),
              HasSubstr("calls builtins.eval"));
  EXPECT_THAT(refused_pickle("\x80\x02(cos\nsystem\no."), HasSubstr("instruction 0x6f"));
}

TEST(Pickle, RefusesWhatIsBroken) {
  EXPECT_THAT(refused_pickle("\x80\x02."), HasSubstr("takes more than it put"));
  EXPECT_THAT(refused_pickle("\x80\x02h\x05."), HasSubstr("names value 5"));
  EXPECT_THAT(refused_pickle("\x80\x02t."), HasSubstr("no mark"));
  EXPECT_THAT(refused_pickle("\x80\x02X\xff\xff\xff\x7f"), HasSubstr("ends within"));
  EXPECT_THAT(refused_pickle("\x80\x02" + std::string(1 << 19, 'N')), HasSubstr("more than 262144 values"));
}

// --- the whole

TEST(Checkpoint, NamesTheFileAndTheTensorThatIsWrong) {
  flox::TempDir directory;
  try {
    Checkpoint::open(directory.path());
    FAIL();
  } catch (const flox::Error& error) {
    EXPECT_EQ(error.kind(), flox::ErrorKind::not_found);
  }
  flox::write_file(
      directory.path() / "model.safetensors",
      safetensors(R"({"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})", floats({1, 2})));
  Checkpoint checkpoint = Checkpoint::open(directory.path());
  EXPECT_THAT(checkpoint.floats("a", {1, 2}), ElementsAre(1, 2));
  EXPECT_THAT(refusal([&] {
                checkpoint.at("a", {2, 1});
              }),
              HasSubstr("tensor a has shape [1, 2], where config.json means [2, 1]"));
  EXPECT_THAT(refusal([&] { checkpoint.at("b", {1}); }), HasSubstr("model.safetensors has no tensor b"));
}

}  // namespace
}  // namespace ticket::model
