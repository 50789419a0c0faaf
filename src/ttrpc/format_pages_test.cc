// What docs/formats/shim.md says of frames holds for this code.
#include <gtest/gtest.h>

#include <sstream>

#include "testing/format_page.h"
#include "ttrpc/frame.h"

namespace flox::ttrpc {
namespace {

TEST(ShimPage, ShowsARequestFrame) {
  std::istringstream words(format_example("shim.md", "request-frame-hex"));
  std::string bytes;
  for (std::string word; words >> word;) bytes += static_cast<char>(std::stoi(word, nullptr, 16));
  ASSERT_GE(bytes.size(), header_size);
  const FrameHeader header = decode_header(bytes.data());
  EXPECT_EQ(header.length, bytes.size() - header_size);
  EXPECT_EQ(header.stream, 1);
  EXPECT_EQ(header.type, type_request);
  EXPECT_EQ(encode_frame(1, type_request, bytes.substr(header_size)), bytes);
}

}  // namespace
}  // namespace flox::ttrpc
