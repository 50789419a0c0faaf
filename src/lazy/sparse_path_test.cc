#include "lazy/sparse_path.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "lazy/frame_queue.h"
#include "lazy/path_tree.h"
#include "nix/nar.h"
#include "store/index/framed_nar.h"

namespace flox::lazy {
namespace {

std::string text_of(size_t size, uint32_t seed) {
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return text;
}

// A tree, its NAR and its index.
struct Sample {
  TempDir dir;
  std::string nar;
  std::shared_ptr<store::NarIndex> index;
  std::string big = text_of(5'000'000, 1), small = text_of(3000, 2);

  Sample() {
    fs::create_directories(dir.path() / "tree/share");
    write_file(dir.path() / "tree/share/big", big);
    write_file(dir.path() / "tree/small", small);
    write_file(dir.path() / "tree/empty", "");
    fs::create_symlink("share/big", dir.path() / "tree/link");
    store::FramedNar framed(1, 1, [](std::string_view) {});
    nix::write_nar(dir.path() / "tree", [&](std::string_view piece) {
      nar += piece;
      framed.feed(piece);
    });
    index = std::make_shared<store::NarIndex>(framed.finish());
  }
  std::string frame(uint32_t number) const {
    return nar.substr(index->frames[number].nar_offset, index->frames[number].nar_size);
  }
  // The number of a regular file in the order of a NAR.
  uint32_t file(const std::string& name) const {
    uint32_t number = 0;
    for (size_t i = 0; i < index->nodes.size(); ++i) {
      if (index->path_of(i) == name) return number;
      number += index->nodes[i].is_file() ? 1 : 0;
    }
    ADD_FAILURE() << name;
    return 0;
  }
};

int await(SparsePath& path, uint32_t file, uint64_t offset, uint64_t length) {
  std::promise<int> done;
  path.want(file, offset, length, [&](int error) { done.set_value(error); });
  return done.get_future().get();
}

std::string bytes(const SparsePath& path, uint32_t file, uint64_t offset, size_t length) {
  std::string text(length, '\0');
  text.resize(path.read(file, offset, text.data(), length));
  return text;
}

TEST(SparsePathTest, BringsOnlyTheFramesOfTheBytesThatAreWanted) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::atomic<int> brought = 0;
  const auto path =
      SparsePath::open(Directory(dir.path()), sample.index, queue.source("x", {[&](uint32_t frame) {
                                                                           ++brought;
                                                                           return sample.frame(frame);
                                                                         }}));
  ASSERT_GT(sample.index->frames.size(), 3u);
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*path, big, 4'990'000, 10), 0);
  EXPECT_EQ(brought, 1);
  EXPECT_EQ(bytes(*path, big, 4'990'000, 10), sample.big.substr(4'990'000, 10));
  EXPECT_EQ(await(*path, big, 0, sample.big.size()), 0);
  EXPECT_EQ(bytes(*path, big, 0, sample.big.size()), sample.big);
  EXPECT_EQ(await(*path, sample.file("empty"), 0, 0), 0);
  EXPECT_EQ(await(*path, sample.file("small"), 0, 3000), 0);
  EXPECT_EQ(brought, static_cast<int>(sample.index->frames.size()));
}

TEST(SparsePathTest, TheNextPartOfAFileComesWhileOneIsRead) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::promise<void> second;
  std::atomic<int> brought = 0;
  const auto path =
      SparsePath::open(Directory(dir.path()), sample.index, queue.source("x", {[&](uint32_t frame) {
                                                                           if (++brought == 2)
                                                                             second.set_value();
                                                                           return sample.frame(frame);
                                                                         }}));
  EXPECT_EQ(await(*path, sample.file("share/big"), 0, 10), 0);
  second.get_future().wait();
}

TEST(SparsePathTest, ASuccessorGoesOnWithWhatIsThere) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::vector<uint32_t> brought;
  const auto source = queue.source("x", {[&](uint32_t frame) {
                                     brought.push_back(frame);
                                     return sample.frame(frame);
                                   }});
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*SparsePath::open(Directory(dir.path()), sample.index, source), big, 4'990'000, 100), 0);
  const auto path = SparsePath::open(Directory(dir.path()), sample.index, source);
  EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
  EXPECT_EQ(brought.size(), 1u);
  EXPECT_EQ(bytes(*path, big, 4'990'000, 100), sample.big.substr(4'990'000, 100));
}

TEST(SparsePathTest, BytesThatAreNotTheIndexesAreNeverWritten) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  const auto lie = [&](uint32_t frame) {
    std::string nar = sample.frame(frame);
    nar[nar.size() / 2] ^= 1;
    return nar;
  };
  const auto shorter = [&](uint32_t frame) { return sample.frame(frame).substr(1); };
  const auto path = SparsePath::open(Directory(dir.path()), sample.index, queue.source("x", {lie, shorter}));
  const uint32_t big = sample.file("share/big");
  for (uint64_t at = 0; at < sample.big.size(); at += 500'000) EXPECT_EQ(await(*path, big, at, 500'000), EIO);
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
  const auto honest =
      SparsePath::open(Directory(dir.path()), sample.index,
                       queue.source("x", {lie, [&](uint32_t frame) { return sample.frame(frame); }}));
  EXPECT_EQ(await(*honest, big, 0, sample.big.size()), 0);
  EXPECT_EQ(bytes(*honest, big, 0, sample.big.size()), sample.big);
}

TEST(SparsePathTest, AFileThatIsAStorePathByItself) {
  TempDir dir;
  const std::string text = text_of(100'000, 3);
  write_file(dir.path() / "file", text);
  std::string nar;
  store::FramedNar framed(1, 1, [](std::string_view) {});
  nix::write_nar(dir.path() / "file", [&](std::string_view piece) {
    nar += piece;
    framed.feed(piece);
  });
  const auto index = std::make_shared<store::NarIndex>(framed.finish());
  FrameQueue queue(1, 1);
  fs::create_directory(dir.path() / "sparse");
  const auto path = SparsePath::open(Directory(dir.path() / "sparse"), index,
                                     queue.source("x", {[&](uint32_t frame) {
                                                    return nar.substr(index->frames[frame].nar_offset,
                                                                      index->frames[frame].nar_size);
                                                  }}));
  EXPECT_EQ(await(*path, 0, 0, text.size()), 0);
  EXPECT_EQ(bytes(*path, 0, 0, text.size()), text);
}

TEST(SparsePathTest, WhatSomebodyRemovedOrCutIsAnErrorAndNeverZeros) {
  Sample sample;
  FrameQueue queue(1, 0);
  const uint32_t big = sample.file("share/big");
  for (const bool removed : {true, false}) {
    TempDir dir;
    const auto path =
        SparsePath::open(Directory(dir.path()), sample.index,
                         queue.source("x", {[&](uint32_t frame) { return sample.frame(frame); }}));
    EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
    const fs::path file = dir.path() / "tree/share/big";
    if (removed)
      fs::remove(file);
    else
      fs::resize_file(file, 4'990'050);
    EXPECT_EQ(await(*path, big, 0, 100), EIO);
    EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
    std::string text(100, '\0');
    if (removed)
      EXPECT_THROW(path->read(big, 4'990'000, text.data(), text.size()), Error);
    else
      EXPECT_EQ(path->read(big, 4'990'000, text.data(), text.size()), 0u);
  }
}

TEST(SparsePathTest, OnceAStoreHasItAllIsReadThereAndWhatCameIsRemoved) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::atomic<int> brought = 0;
  const auto path =
      SparsePath::open(Directory(dir.path()), sample.index, queue.source("x", {[&](uint32_t frame) {
                                                                           ++brought;
                                                                           return sample.frame(frame);
                                                                         }}));
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
  EXPECT_GT(path->bytes_here(), 0u);
  EXPECT_LT(path->bytes_here(), path->bytes());
  EXPECT_EQ(path->bytes(), sample.big.size() + sample.small.size());
  path->use_store(Directory(sample.dir.path()), "tree");
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
  EXPECT_EQ(path->bytes_here(), path->bytes());
  EXPECT_EQ(await(*path, big, 0, sample.big.size()), 0);
  EXPECT_EQ(bytes(*path, big, 0, sample.big.size()), sample.big);
  EXPECT_EQ(brought, 1);
  fs::resize_file(sample.dir.path() / "tree/share/big", 10);
  EXPECT_EQ(bytes(*path, big, 0, 100), "");
}

TEST(SparsePathTest, KnowsWhatCouldNotBeReadUntilItCame) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::atomic<bool> is_down = true;
  const auto path = SparsePath::open(Directory(dir.path()), sample.index,
                                     queue.source("x", {[&](uint32_t frame) {
                                                    if (is_down) fail(ErrorKind::unavailable, "it is down");
                                                    return sample.frame(frame);
                                                  }}));
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*path, big, 0, 100), EIO);
  ASSERT_FALSE(path->failed_frames().empty());
  EXPECT_EQ(path->last_failure(), "it is down");
  // The next part was asked for, too: whoever joins in that while it is under way gets its error.
  for (int i = 0; i < 6000 && path->failed_frames().size() < 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_EQ(path->failed_frames().size(), 2u);
  is_down = false;
  EXPECT_EQ(await(*path, big, 0, sample.big.size()), 0);
  EXPECT_TRUE(path->failed_frames().empty());
}

TEST(SparsePathTest, ASetThatIsTooLargeIsRefused) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  write_file(dir.path() / "chunks", std::string(1 << 20, 'x'));
  EXPECT_THROW(SparsePath::open(Directory(dir.path()), sample.index, queue.source("x", {})), Error);
}

TEST(SparsePathTest, ASuccessorBeginsAnewWhatAPredecessorDidNotFinishMaking) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  write_file(dir.path() / "chunks", "\xff");
  write_file(dir.path() / "new", "it has no size yet");
  const auto path =
      SparsePath::open(Directory(dir.path()), sample.index,
                       queue.source("x", {[&](uint32_t frame) { return sample.frame(frame); }}));
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*path, big, 0, sample.big.size()), 0);
  EXPECT_EQ(bytes(*path, big, 0, sample.big.size()), sample.big);
}

TEST(PathTreeTest, HasTheNamesOfTheIndex) {
  Sample sample;
  const PathTree tree(*sample.index);
  const auto& top = tree.nodes()[0];
  ASSERT_EQ(top.children, 4u);
  const auto share = tree.child(top, "share");
  ASSERT_TRUE(share);
  const auto big = tree.child(tree.nodes()[*share], "big");
  ASSERT_TRUE(big);
  EXPECT_EQ(tree.nodes()[*big].size, sample.big.size());
  EXPECT_EQ(tree.nodes()[*big].file, sample.file("share/big"));
  EXPECT_FALSE(tree.child(top, "big"));
  EXPECT_EQ(tree.target(tree.nodes()[*tree.child(top, "link")]), "share/big");
}

}  // namespace
}  // namespace flox::lazy
