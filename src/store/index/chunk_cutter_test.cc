#include "store/index/chunk_cutter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/data/sha256.h"
#include "testing/format_page.h"

namespace flox::store {
namespace {

using testing::ElementsAreArray;

// Bytes that look like chance, the same in every run.
std::string noise(size_t size, const std::string& seed = "") {
  std::string bytes;
  for (size_t i = 0; bytes.size() < size; ++i) bytes += bytes_of(sha256(seed + std::to_string(i)));
  bytes.resize(size);
  return bytes;
}

// Where the chunks end, when the file comes in pieces of that size.
std::vector<size_t> cuts_of(std::string_view file, size_t piece = 1 << 30) {
  ChunkCutter cutter;
  std::vector<size_t> ends;
  size_t at = 0;
  while (at < file.size()) {
    std::string_view rest = file.substr(at, piece);
    while (!rest.empty()) {
      const auto next = cutter.next(rest);
      rest.remove_prefix(next.size);
      at += next.size;
      if (next.ends) ends.push_back(at);
    }
  }
  if (ends.empty() || ends.back() != at) ends.push_back(at);
  return ends;
}

std::set<Sha256Digest> chunks_of(std::string_view file) {
  std::set<Sha256Digest> hashes;
  size_t begin = 0;
  for (const size_t end : cuts_of(file)) {
    hashes.insert(sha256(file.substr(begin, end - begin)));
    begin = end;
  }
  return hashes;
}

TEST(ChunkCutter, cuts_as_the_page_says) {
  std::istringstream words(format_example("nar-index.md", "cuts"));
  std::vector<size_t> ends;
  for (size_t end = 0; words >> end;) ends.push_back(end);
  EXPECT_THAT(cuts_of(noise(500'000)), ElementsAreArray(ends));
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
