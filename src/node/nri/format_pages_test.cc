// The examples of docs/formats/nri.md.
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "node/nri/multiplexer.h"
#include "testing/format_page.h"

namespace flox::node {
namespace {

TEST(NriPage, ShowsAFrame) {
  std::istringstream words(format_example("nri.md", "mux-frame-hex"));
  std::string bytes;
  for (std::string word; words >> word;) bytes += static_cast<char>(std::stoi(word, nullptr, 16));
  Demultiplexer trunk;
  const auto parts = trunk.split(bytes);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].connection, runtime_connection);
  EXPECT_EQ(to_mux_frames(parts[0].connection, parts[0].bytes), bytes);
  const ttrpc::FrameHeader header = ttrpc::decode_header(parts[0].bytes.data());
  EXPECT_EQ(header.length, parts[0].bytes.size() - ttrpc::header_size);
  EXPECT_EQ(header.stream, 1u);
  EXPECT_TRUE(trunk.at_boundary());
}

}  // namespace
}  // namespace flox::node
