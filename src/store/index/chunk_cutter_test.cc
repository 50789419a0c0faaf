#include "store/index/chunk_cutter.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/data/sha256.h"
#include "store/index/testing/cuts.h"

namespace flox::store {
namespace {

std::set<Sha256Digest> chunks_of(std::string_view file) {
  std::set<Sha256Digest> hashes;
  size_t begin = 0;
  for (const size_t end : cuts_of(file)) {
    hashes.insert(sha256(file.substr(begin, end - begin)));
    begin = end;
  }
  return hashes;
}

TEST(ChunkCutter, pieces_in_which_a_file_comes_make_no_difference) {
  const std::string file = noise(700'000);
  for (const size_t piece : {1ul, 1000ul, 16'384ul, 65'537ul})
    EXPECT_EQ(cuts_of(file, piece), cuts_of(file)) << piece;
}

TEST(ChunkCutter, no_chunk_but_the_last_is_smaller_or_larger_than_it_may_be) {
  for (const std::string& file : {noise(2'000'000), std::string(2'000'000, '\0'), noise(5000)}) {
    size_t begin = 0;
    const auto ends = cuts_of(file);
    for (const size_t end : ends) {
      EXPECT_LE(end - begin, ChunkCutter::most);
      EXPECT_GE(end - begin, end == file.size() ? 1 : ChunkCutter::least);
      begin = end;
    }
    EXPECT_EQ(begin, file.size());
  }
  EXPECT_EQ(cuts_of(std::string(2'000'000, '\0')).size(), 8u);
}

TEST(ChunkCutter, after_an_insertion_all_but_few_chunks_are_the_same) {
  const std::string before = noise(4'000'000);
  std::string after = before;
  after.insert(1'500'000, "some bytes more");
  const auto old = chunks_of(before);
  size_t fresh = 0;
  for (const Sha256Digest& hash : chunks_of(after)) fresh += old.contains(hash) ? 0 : 1;
  EXPECT_GE(fresh, 1u);
  EXPECT_LE(fresh, 3u);
}

}  // namespace
}  // namespace flox::store
