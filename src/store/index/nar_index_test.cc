#include "store/index/nar_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "nix/narinfo.h"
#include "testing/error_of.h"

namespace flox::store {
namespace {

using testing::HasSubstr;

// Of a NAR that is the file "hello\n".
NarIndex one_file() {
  NarIndex index;
  index.nodes = {{.size = 6, .chunk_count = 1}};
  index.chunks = {{.size = 6, .hash = sha256("hello\n")}};
  index.nar_hash = sha256("NAR");
  index.nar_size = 120;
  index.file_size = 76;
  index.frames = {{.file_size = 76, .nar_size = 120}};
  return index;
}

// Of a directory with a file of two chunks, an empty one, a directory and a link, in two frames.
NarIndex small_tree() {
  NarIndex index;
  using Type = NarIndex::Type;
  index.nodes = {{.type = Type::directory},
                 {.type = Type::executable, .name = "a", .size = 10, .chunk_count = 2},
                 {.type = Type::directory, .name = "b"},
                 {.type = Type::regular, .parent = 2, .name = "empty", .first_chunk = 2},
                 {.type = Type::symlink, .parent = 2, .name = "link", .target = "../a"},
                 {.type = Type::directory, .name = "c"}};
  index.chunks = {{.size = 7, .hash = sha256("first")}, {.size = 3, .hash = sha256("second")}};
  index.nar_size = 1040;
  index.file_size = 300;
  index.frames = {{.file_size = 100, .nar_size = 800}, {.file_size = 200, .nar_size = 240}};
  return index;
}

std::string with(std::string bytes, size_t at, char byte) {
  bytes.at(at) = byte;
  return bytes;
}

TEST(NarIndex, what_is_written_is_read_again_with_places_in_the_nar) {
  const NarIndex index = NarIndex::parse(small_tree().to_bytes());
  EXPECT_EQ(index.to_bytes(), small_tree().to_bytes());
  ASSERT_EQ(index.nodes.size(), 6u);
  EXPECT_EQ(index.path_of(4), "b/link");
  EXPECT_EQ(index.nodes[4].target, "../a");
  EXPECT_EQ(index.chunks[1].nar_offset, index.nodes[1].nar_offset + 7);
  EXPECT_EQ(index.frames[1].file_offset, 100u);
  EXPECT_EQ(index.frames[1].nar_offset, 800u);
  EXPECT_EQ(index.chunks[0].frame, 0u);
  const auto packed = small_tree().pack();
  ASSERT_TRUE(packed);
  EXPECT_EQ(NarIndex::unpack(*packed).to_bytes(), index.to_bytes());
}

TEST(NarIndex, an_index_that_contradicts_itself_is_refused_with_the_reason) {
  const std::string good = one_file().to_bytes();
  const size_t numbers =
      8 + 64;  // where they begin: NAR 120, file 76, one frame of 76 and 120, a file of 6 in one chunk
  struct Case {
    std::string bytes, reason;
  };
  auto tree = [](auto&& change) {
    NarIndex index = small_tree();
    change(index);
    return index.to_bytes();
  };
  const std::vector<Case> cases = {
      {"", "does not begin"},
      {with(good, 7, '2'), "does not begin"},
      {good.substr(0, good.size() - 1), "cut off"},
      {good + "x", "bytes after its end"},
      {with(good, numbers, 119), "what a frame holds is 120, and 119 is the most"},
      {with(good, numbers, 121), "its frames are not the whole file"},
      {with(good, numbers + 1, 77), "its frames are not the whole file"},
      {with(good, numbers + 2, 2), "the size of a frame is"},
      {with(good, numbers + 3, 0), "a frame is empty"},
      {with(good, numbers + 5, 5), "the type of a node is 5"},
      {with(good, numbers + 5, 0), "has no type"},
      {with(good, numbers + 6, 7), "the size of a chunk is 88"},
      {with(good, numbers + 7, 0), "a chunk is empty"},
      {with(good, numbers + 7, 7), "the size of a chunk is 7"},
      {good.substr(0, numbers) + std::string("\x80\0", 2) + good.substr(numbers + 1), "shortest form"},
      {good.substr(0, numbers) + std::string(10, '\xff') + good.substr(numbers + 1), "64 bits"},
      {tree([](NarIndex& index) { index.nodes[3].name = "zlast"; }), "not sorted"},
      {tree([](NarIndex& index) { index.nodes[1].name = "b"; }), "not sorted"},
      {tree([](NarIndex& index) { index.nodes[1].name = ".."; }), "cannot be a file's"},
      {tree([](NarIndex& index) { index.nodes[1].name = "a/b"; }), "cannot be a file's"},
      {tree([](NarIndex& index) { index.nodes[4].target = ""; }), "impossible target"},
      {tree([](NarIndex& index) { index.nar_size += 8, index.frames[1].nar_size += 8; }),
       "do not make up the NAR"},
      {tree([](NarIndex& index) { index.nar_size -= 8, index.frames[1].nar_size -= 8; }),
       "do not make up the NAR"},
      {tree([](NarIndex& index) { index.frames[0].nar_size = 267, index.frames[1].nar_size = 773; }),
       "a chunk is in two frames"},
  };
  for (const auto& [bytes, reason] : cases)
    EXPECT_THAT(error_of([&, &bytes = bytes] { NarIndex::parse(bytes); }), HasSubstr(reason));
}

TEST(NarIndex, a_tree_that_is_too_deep_is_refused) {
  NarIndex index;
  index.nodes.push_back({.type = NarIndex::Type::directory});
  for (uint32_t i = 0; i < 70; ++i)
    index.nodes.push_back({.type = NarIndex::Type::directory, .parent = i, .name = "d"});
  index.nar_size = 100'000;
  index.file_size = 10;
  index.frames = {{.file_size = 10, .nar_size = 100'000}};
  EXPECT_THAT(error_of([&] { NarIndex::parse(index.to_bytes()); }), HasSubstr("too deep"));
}

TEST(NarIndex, a_file_that_announces_more_than_an_index_may_have_is_refused_before_it_is_unpacked) {
  const std::string zeros(NarIndex::max_bytes + 1, '\0');
  std::string file(ZSTD_compressBound(zeros.size()), '\0');
  file.resize(ZSTD_compress(file.data(), file.size(), zeros.data(), zeros.size(), 1));
  EXPECT_THAT(error_of([&] { NarIndex::unpack(file); }), HasSubstr("too large"));
  EXPECT_THAT(error_of([&] { NarIndex::unpack("no zstd"); }), HasSubstr("not compressed by zstd"));
  const std::string good = *small_tree().pack();
  EXPECT_THAT(error_of([&] { NarIndex::unpack(good + good); }), HasSubstr("damaged"));
  EXPECT_THAT(error_of([&] { NarIndex::unpack(good.substr(0, good.size() - 3)); }), HasSubstr("damaged"));
}

TEST(NarIndex, is_that_of_a_narinfo_only_if_it_names_what_the_narinfo_does) {
  const NarIndex index = one_file();
  const nix::NarInfo narinfo{
      .info = {.path = nix::StorePath::from_base_name("i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt"),
               .nar_hash = index.nar_hash,
               .nar_size = index.nar_size},
      .url = "nar/x.nar.zst",
      .compression = "zstd"};
  index.require_is_of(narinfo);
  nix::NarInfo with_file = narinfo;
  with_file.file_hash = index.file_hash;
  with_file.file_size = index.file_size;
  index.require_is_of(with_file);
  const auto differs = [&](auto change) {
    nix::NarInfo other = narinfo;
    change(other);
    EXPECT_THAT(error_of([&] { index.require_is_of(other); }, ErrorKind::untrusted),
                HasSubstr("another file"));
  };
  differs([](auto& other) { other.info.nar_hash = sha256("other"); });
  differs([](auto& other) { ++other.info.nar_size; });
  differs([](auto& other) { other.file_hash = sha256("other"); });
  differs([](auto& other) { other.file_size = 77; });
}

}  // namespace
}  // namespace flox::store
