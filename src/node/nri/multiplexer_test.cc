#include "node/nri/multiplexer.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"

namespace flox::node {
namespace {

using Streams = std::map<uint32_t, std::string>;

Streams split_by(std::string_view bytes, size_t step) {
  Demultiplexer trunk;
  Streams streams;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size())))
    for (const MuxPart& part : trunk.split(bytes.substr(0, step))) streams[part.connection] += part.bytes;
  EXPECT_TRUE(trunk.at_boundary());
  return streams;
}

TEST(MultiplexerTest, WhatIsCutIsPutTogetherHoweverItArrives) {
  const std::string small = ttrpc::encode_frame(1, ttrpc::type_request, "small");
  const std::string large = ttrpc::encode_frame(3, ttrpc::type_response, std::string(100'000, 'x'));
  const std::string bytes = to_mux_frames(1, small) + to_mux_frames(2, large) + to_mux_frames(1, small);
  const Streams expected = {{1, small + small}, {2, large}};
  for (const size_t step : {size_t{1}, size_t{7}, size_t{8}, size_t{4096}, bytes.size()})
    EXPECT_EQ(split_by(bytes, step), expected) << step;
}

// containerd's reader gives up with ENOMEM where a frame does not fit into what it reads into: a buffer of
// 4096 bytes, or all that is left of a message.
TEST(MultiplexerTest, ALargeMessageIsAFullBufferAndOneFrameMore) {
  const std::string message = ttrpc::encode_frame(1, ttrpc::type_response, std::string(50'000, 'x'));
  Demultiplexer trunk;
  const std::string bytes = to_mux_frames(1, message);
  const auto parts = trunk.split(bytes);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].bytes.size(), 4096u);
  EXPECT_EQ(parts[1].bytes.size(), message.size() - 4096);
}

TEST(MultiplexerTest, BytesOfUnknownConnectionsAreDropped) {
  for (const uint32_t stranger : {0U, 3U, 0xffffffffU}) {
    const std::string bytes = to_mux_frames(stranger, "lost") + to_mux_frames(1, "kept");
    EXPECT_EQ(split_by(bytes, 3), (Streams{{1, "kept"}})) << stranger;
  }
}

TEST(MultiplexerTest, AFrameOverTheLimitIsRefusedBeforeItsPayload) {
  Demultiplexer trunk;
  EXPECT_TRUE(trunk.split(std::string("\0\0\0\1\0\x40\0\x0a", 8)).empty()) << "the largest";
  EXPECT_FALSE(trunk.at_boundary());
  EXPECT_THROW(Demultiplexer().split(std::string("\0\0\0\1\0\x40\0\x0b", 8)), Error);
  EXPECT_THROW(Demultiplexer().split(std::string("\0\0\0\1\xff\xff\xff\xff", 8)), Error);
  EXPECT_THROW(Demultiplexer().split(std::string("\0\0\0\7\xff\xff\xff\xff", 8)), Error);
}

TEST(MultiplexerTest, AnEmptyFrameIsNothing) {
  EXPECT_EQ(split_by(std::string(8, '\0') + to_mux_frames(1, "x"), 5), (Streams{{1, "x"}}));
}

}  // namespace
}  // namespace flox::node
