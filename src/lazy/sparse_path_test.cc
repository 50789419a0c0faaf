#include "lazy/sparse_path.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <set>
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

std::shared_ptr<SparsePath> open_in(const TempDir& dir, std::shared_ptr<const store::NarIndex> index,
                                    std::shared_ptr<FrameSource> source) {
  return SparsePath::open(std::make_shared<const Directory>(dir.path()), "part", std::move(index),
                          std::move(source));
}

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
  const auto path = open_in(dir, sample.index, queue.source("x", {[&](uint32_t frame, uint32_t) {
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
  const auto path = open_in(dir, sample.index, queue.source("x", {[&](uint32_t frame, uint32_t) {
                                                              if (++brought == 2) second.set_value();
                                                              return sample.frame(frame);
                                                            }}));
  EXPECT_EQ(await(*path, sample.file("share/big"), 0, 10), 0);
  second.get_future().wait();
}

TEST(SparsePathTest, SaysWhatReadersWantedAndAnotherOneFetchesThatBeforeTheyCome) {
  Sample sample;
  const uint32_t big = sample.file("share/big");
  FrameQueue queue(1, 1);
  std::vector<store::FileRange> wanted;
  {
    TempDir dir;
    const auto path =
        open_in(dir, sample.index,
                queue.source("x", {[&](uint32_t frame, uint32_t) { return sample.frame(frame); }}));
    EXPECT_TRUE(path->wanted(10'000).empty());
    EXPECT_EQ(await(*path, big, 4'990'000, 10), 0);
    EXPECT_EQ(await(*path, sample.file("small"), 100, 10), 0);
    wanted = path->wanted(10'000);
    EXPECT_EQ(path->wanted(60).size(), 1u);
  }
  ASSERT_EQ(wanted.size(), 2u);
  EXPECT_EQ(wanted[0].file, "share/big");
  EXPECT_LE(wanted[0].begin, 4'990'000u);
  EXPECT_GE(wanted[0].end, 4'990'010u);
  EXPECT_EQ(wanted[1], (store::FileRange{"small", 0, sample.small.size()}));

  TempDir dir;
  std::mutex mutex;
  std::set<uint32_t> brought;
  const auto path = open_in(dir, sample.index, queue.source("x", {[&](uint32_t frame, uint32_t) {
                                                              const std::scoped_lock lock(mutex);
                                                              brought.insert(frame);
                                                              return sample.frame(frame);
                                                            }}));
  path->want_soon(sample.file("small"), 5'000, 6'000);  // it has been shorter since
  path->want_soon(big, wanted[0].begin, wanted[0].end);
  path->want_soon(big, 1'000'000'000, UINT64_MAX);
  while (path->bytes_here() == 0) std::this_thread::yield();
  EXPECT_TRUE(path->wanted(10'000).empty());
  EXPECT_EQ(await(*path, big, 4'990'000, 10), 0);
  const std::scoped_lock lock(mutex);
  EXPECT_EQ(brought.size(), 1u);
}

TEST(SparsePathTest, ASuccessorGoesOnWithWhatIsThere) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::vector<uint32_t> brought;
  const auto source = queue.source("x", {[&](uint32_t frame, uint32_t) {
                                     brought.push_back(frame);
                                     return sample.frame(frame);
                                   }});
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*open_in(dir, sample.index, source), big, 4'990'000, 100), 0);
  const auto path = open_in(dir, sample.index, source);
  EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
  EXPECT_EQ(brought.size(), 1u);
  EXPECT_EQ(bytes(*path, big, 4'990'000, 100), sample.big.substr(4'990'000, 100));
}

TEST(SparsePathTest, BytesThatAreNotTheIndexesAreNeverWritten) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  const auto lie = [&](uint32_t frame, uint32_t) {
    std::string nar = sample.frame(frame);
    nar[nar.size() / 2] ^= 1;
    return nar;
  };
  const auto shorter = [&](uint32_t frame, uint32_t) { return sample.frame(frame).substr(1); };
  const auto path = open_in(dir, sample.index, queue.source("x", {lie, shorter}));
  const uint32_t big = sample.file("share/big");
  for (uint64_t at = 0; at < sample.big.size(); at += 500'000) EXPECT_EQ(await(*path, big, at, 500'000), EIO);
  EXPECT_FALSE(fs::exists(dir.path() / "part"));
  const auto honest =
      open_in(dir, sample.index,
              queue.source("x", {lie, [&](uint32_t frame, uint32_t) { return sample.frame(frame); }}));
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
  TempDir sparse;
  const auto path = open_in(sparse, index, queue.source("x", {[&](uint32_t frame, uint32_t) {
                                                          return nar.substr(index->frames[frame].nar_offset,
                                                                            index->frames[frame].nar_size);
                                                        }}));
  EXPECT_EQ(await(*path, 0, 0, text.size()), 0);
  EXPECT_EQ(bytes(*path, 0, 0, text.size()), text);
}

TEST(SparsePathTest, WhatSomebodyCutIsAnErrorAndNeverZerosAndASuccessorBeginsAnew) {
  Sample sample;
  FrameQueue queue(1, 0);
  const uint32_t big = sample.file("share/big");
  TempDir dir;
  const auto source = queue.source("x", {[&](uint32_t frame, uint32_t) { return sample.frame(frame); }});
  const auto path = open_in(dir, sample.index, source);
  EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
  const auto size = fs::file_size(dir.path() / "part");
  fs::resize_file(dir.path() / "part", 4'990'050);
  EXPECT_EQ(await(*path, big, 0, 100), EIO);
  EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
  EXPECT_EQ(bytes(*path, big, 4'990'000, 100), "");
  const auto successor = open_in(dir, sample.index, source);
  EXPECT_EQ(await(*successor, big, 0, sample.big.size()), 0);
  EXPECT_EQ(bytes(*successor, big, 0, sample.big.size()), sample.big);
  EXPECT_EQ(fs::file_size(dir.path() / "part"), size);
}

TEST(SparsePathTest, NothingIsMadeBeforeSomethingHasCome) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  const auto path = open_in(dir, sample.index, queue.source("x", {}));
  EXPECT_EQ(await(*path, sample.file("small"), 0, 10), EIO);
  EXPECT_FALSE(fs::exists(dir.path() / "part"));
}

TEST(SparsePathTest, OnceAStoreHasItAllIsReadThereAndWhatCameIsRemoved) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::atomic<int> brought = 0;
  const auto path = open_in(dir, sample.index, queue.source("x", {[&](uint32_t frame, uint32_t) {
                                                              ++brought;
                                                              return sample.frame(frame);
                                                            }}));
  const uint32_t big = sample.file("share/big");
  EXPECT_EQ(await(*path, big, 4'990'000, 100), 0);
  EXPECT_GT(path->bytes_here(), 0u);
  EXPECT_LT(path->bytes_here(), path->bytes());
  EXPECT_EQ(path->bytes(), sample.big.size() + sample.small.size());
  path->use_store(Directory(sample.dir.path()), "tree");
  EXPECT_FALSE(fs::exists(dir.path() / "part"));
  EXPECT_EQ(path->bytes_here(), path->bytes());
  EXPECT_EQ(await(*path, big, 0, sample.big.size()), 0);
  EXPECT_EQ(bytes(*path, big, 0, sample.big.size()), sample.big);
  EXPECT_EQ(brought, 1);
  fs::resize_file(sample.dir.path() / "tree/share/big", 10);
  EXPECT_EQ(bytes(*path, big, 0, 100), "");
}

TEST(SparsePathTest, AFrameThatComesAfterItsPathWasDroppedLeavesTheFileToItsSuccessor) {
  Sample sample;
  TempDir dir;
  std::promise<void> begun, may_come;
  std::atomic<int> brought = 0;
  FrameQueue queue(1, 0);  // the late frame comes first
  const auto source = [&] {
    return queue.source("x", {[&](uint32_t frame, uint32_t) {
                          if (brought++ == 0) {
                            begun.set_value();
                            may_come.get_future().wait();
                          }
                          return sample.frame(frame);
                        }});
  };
  const uint32_t small = sample.file("small");
  auto old = open_in(dir, sample.index, source());
  std::promise<void> late;
  old->want(small, 0, 10, [&](int) { late.set_value(); });
  begun.get_future().wait();
  old->drop();
  const auto path = open_in(dir, sample.index, source());
  may_come.set_value();
  late.get_future().wait();
  EXPECT_FALSE(fs::exists(dir.path() / "part"));
  EXPECT_EQ(await(*path, small, 0, 3000), 0);
  EXPECT_EQ(bytes(*path, small, 0, 3000), sample.small);
  EXPECT_EQ(bytes(*old, small, 0, 3000), "");
}

TEST(SparsePathTest, KnowsWhatCouldNotBeReadUntilItCame) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  std::atomic<bool> is_down = true;
  const auto path = open_in(dir, sample.index, queue.source("x", {[&](uint32_t frame, uint32_t) {
                                                              if (is_down)
                                                                fail(ErrorKind::unavailable, "it is down");
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

TEST(SparsePathTest, ASuccessorBeginsAnewWhatAPredecessorDidNotFinishMaking) {
  Sample sample;
  TempDir dir;
  FrameQueue queue(1, 1);
  write_file(dir.path() / "part", std::string(10, '\xff'));
  const auto path = open_in(
      dir, sample.index, queue.source("x", {[&](uint32_t frame, uint32_t) { return sample.frame(frame); }}));
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
  EXPECT_EQ(tree.find("share/big"), &tree.nodes()[*big]);
  EXPECT_EQ(tree.find(""), &top);
  for (const char* none : {"big", "share/none", "share/big/x", "/", "share//big"})
    EXPECT_EQ(tree.find(none), nullptr) << none;
  EXPECT_EQ(tree.target(tree.nodes()[*tree.child(top, "link")]), "share/big");
}

}  // namespace
}  // namespace flox::lazy
