// What docs/formats/nar-index.md says holds for this code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "base/data/bytes.h"
#include "nix/narinfo.h"
#include "store/index/nar_index.h"
#include "store/index/testing/cuts.h"
#include "testing/format_page.h"

namespace flox::store {
namespace {

using testing::ElementsAreArray;

nix::NarInfo example_narinfo() { return nix::NarInfo::parse(format_example("binary-cache.md", "narinfo")); }

TEST(NarIndexPage, shows_the_index_of_a_file) {
  std::istringstream words(format_example("nar-index.md", "index-hex"));
  std::string bytes;
  for (std::string word; words >> word;) {
    if (word == "NARHASH")
      bytes += bytes_of(example_narinfo().info.nar_hash);
    else if (word == "FILEHASH")
      bytes.append(32, '\0');
    else
      bytes += from_hex(word);
  }
  const NarIndex index = NarIndex::parse(bytes);
  ASSERT_EQ(index.nodes.size(), 1u);
  EXPECT_EQ(index.nar_size, example_narinfo().info.nar_size);
  EXPECT_EQ(index.nodes[0].size, 6u);
  EXPECT_EQ(index.nodes[0].nar_offset, 96u);
  ASSERT_EQ(index.chunks.size(), 1u);
  EXPECT_EQ(index.chunks[0].hash, sha256("hello\n"));
  EXPECT_EQ(index.to_bytes(), bytes);
}

TEST(NarIndexPage, shows_what_is_signed) {
  nix::NarInfo narinfo = example_narinfo();
  narinfo.index_hash = sha256("hello\n");
  EXPECT_EQ(narinfo.index_fingerprint() + "\n", format_example("nar-index.md", "fingerprint"));
}

TEST(NarIndexPage, shows_where_a_file_is_cut) {
  std::istringstream words(format_example("nar-index.md", "cuts"));
  std::vector<size_t> ends;
  for (size_t end = 0; words >> end;) ends.push_back(end);
  EXPECT_THAT(cuts_of(noise(500'000)), ElementsAreArray(ends));
}

}  // namespace
}  // namespace flox::store
