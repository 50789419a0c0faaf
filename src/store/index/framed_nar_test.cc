#include "store/index/framed_nar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "base/os/file.h"
#include "nix/listing.h"
#include "nix/nar.h"
#include "store/cache/decompress.h"
#include "testing/error_of.h"

namespace flox::store {
namespace {

using testing::HasSubstr;

std::string digits(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 7919) + ",";
  text.resize(size);
  return text;
}

// A NAR, its file and its index.
struct Framed {
  std::string nar, file;
  NarIndex index;

  explicit Framed(const fs::path& tree, unsigned threads = 1, size_t piece = 1 << 20) {
    nix::write_nar(tree, [&](std::string_view bytes) { nar += bytes; });
    FramedNar framed(0, threads, [&](std::string_view bytes) { file += bytes; });
    for (size_t at = 0; at < nar.size(); at += piece) framed.feed(std::string_view(nar).substr(at, piece));
    index = framed.finish();
    index.nar_hash = sha256(nar);
    index.file_hash = sha256(file);
  }
};

class FramedNarTest : public testing::Test {
 protected:
  FramedNarTest() {
    fs::create_directories(tree() / "bin");
    fs::create_directories(tree() / "empty");
    write_file(tree() / "bin/small", "#!/bin/sh\n", 0755);
    write_file(tree() / "bin/large", digits(5'000'000));
    for (int i = 0; i < 40; ++i) write_file(tree() / ("text" + std::to_string(i)), digits(50'000 + 17 * i));
    write_file(tree() / "nothing", "");
    fs::create_symlink("bin/small", tree() / "link");
  }
  fs::path tree() const { return temp_.path() / "tree"; }
  TempDir temp_;
};

TEST_F(FramedNarTest, the_file_is_an_ordinary_zstd_file_of_the_nar) {
  const Framed framed(tree());
  std::string unpacked;
  const auto decompressor = make_decompressor("zstd", [&](std::string_view piece) { unpacked += piece; });
  decompressor->feed(framed.file);
  decompressor->finish();
  EXPECT_TRUE(unpacked == framed.nar);
}

TEST_F(FramedNarTest, the_index_says_where_every_file_and_every_chunk_is) {
  const Framed framed(tree());
  const NarIndex index = NarIndex::unpack(*framed.index.pack());
  EXPECT_EQ(index.to_bytes(), framed.index.to_bytes());
  EXPECT_EQ(index.file_size, framed.file.size());
  EXPECT_EQ(index.nar_size, framed.nar.size());
  EXPECT_GE(index.frames.size(), 5u);
  for (const auto& frame : index.frames) {
    std::string nar(frame.nar_size, '\0');
    ASSERT_EQ(
        ZSTD_decompress(nar.data(), nar.size(), framed.file.data() + frame.file_offset, frame.file_size),
        frame.nar_size);
    EXPECT_TRUE(nar == framed.nar.substr(frame.nar_offset, frame.nar_size));
    EXPECT_LE(frame.nar_size, FramedNar::frame_size + (256 << 10));
  }
  for (const auto& chunk : index.chunks)
    EXPECT_EQ(sha256(std::string_view(framed.nar).substr(chunk.nar_offset, chunk.size)), chunk.hash);
  const nix::Listing listing = nix::list_tree(tree());
  for (size_t i = 1; i < index.nodes.size(); ++i) {
    const NarIndex::Node& node = index.nodes[i];
    if (!node.is_file()) continue;
    const nix::Listing* at = &listing;
    for (const fs::path& part : fs::path(index.path_of(i))) at = &at->entries.at(part);
    EXPECT_EQ(node.nar_offset, at->nar_offset) << index.path_of(i);
    EXPECT_EQ(node.size, at->size);
    EXPECT_EQ(node.type == NarIndex::Type::executable, at->executable);
  }
}

TEST_F(FramedNarTest, neither_threads_nor_pieces_change_a_byte) {
  const Framed one(tree());
  for (const Framed& other : {Framed(tree(), 3), Framed(tree(), 1, 999)}) {
    EXPECT_TRUE(other.file == one.file);
    EXPECT_TRUE(other.index.to_bytes() == one.index.to_bytes());
  }
}

TEST_F(FramedNarTest, a_large_file_begins_a_frame) {
  const Framed framed(tree());
  for (size_t i = 0; i < framed.index.nodes.size(); ++i) {
    if (framed.index.path_of(i) != "bin/large") continue;
    const auto& node = framed.index.nodes[i];
    EXPECT_LT(node.nar_offset - framed.index.frames[framed.index.chunks[node.first_chunk].frame].nar_offset,
              FramedNar::frame_size / 2);
  }
}

TEST_F(FramedNarTest, a_path_that_is_one_file_has_an_index_too) {
  const Framed framed(tree() / "bin/large", 2);
  ASSERT_EQ(framed.index.nodes.size(), 1u);
  EXPECT_EQ(NarIndex::parse(framed.index.to_bytes()).nodes[0].size, 5'000'000u);
}

TEST_F(FramedNarTest, what_is_no_nar_is_refused) {
  FramedNar framed(0, 1, [](std::string_view) {});
  EXPECT_THAT(error_of([&] { framed.feed(std::string(100, 'x')); }), HasSubstr("malformed NAR"));
  FramedNar cut(0, 2, [](std::string_view) {});
  EXPECT_THAT(error_of([&] { cut.finish(); }), HasSubstr("cut off"));
}

}  // namespace
}  // namespace flox::store
