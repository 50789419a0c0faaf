#include "ttrpc/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <set>

#include "ttrpc/envelope.h"
#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

using std::chrono::milliseconds;

TEST_F(TtrpcTest, ACallThatWaitsDoesNotHoldUpOthersOfItsConnection) {
  Raw raw(path_);
  raw.send(encode_request(1, "test", "wait", "", {}));
  raw.send(encode_request(3, "test", "echo", "meanwhile", {}));
  auto [first_header, first] = raw.receive();
  EXPECT_EQ(first_header.stream, 3U);
  EXPECT_EQ(first.payload(), "meanwhile");
  raw.send(encode_request(5, "test", "release", "", {}));
  std::set<uint32_t> streams{raw.receive().first.stream, raw.receive().first.stream};
  EXPECT_THAT(streams, testing::ElementsAre(1, 5));
}

TEST_F(TtrpcTest, AnOversizedMessageIsRefusedAndTheConnectionKept) {
  Raw raw(path_);
  raw.send(header(max_payload + 10, 1, 1, 0));
  raw.send(std::string(max_payload + 10, 'x'));
  EXPECT_EQ(raw.receive().second.status().code(), 8);
  raw.send(encode_request(3, "test", "echo", "still here", {}));
  EXPECT_EQ(raw.receive().second.payload(), "still here");
}

TEST_F(TtrpcTest, AnOversizedAnswerIsAnError) {
  BlockingClient client(path_);
  EXPECT_THROW(client.call("test", "huge", ""), Error);
  EXPECT_EQ(client.call("test", "echo", "fine"), "fine");
}

TEST_F(TtrpcTest, EvenRepeatedAndFallingStreamNumbersAreInvalid) {
  Raw raw(path_);
  for (uint32_t stream : {2U, 0U}) {
    raw.send(encode_request(stream, "test", "echo", "", {}));
    EXPECT_EQ(raw.receive().second.status().code(), 3);
  }
  raw.send(encode_request(7, "test", "echo", "", {}));
  EXPECT_EQ(raw.receive().second.status().code(), 0);
  for (uint32_t stream : {7U, 5U}) {
    raw.send(encode_request(stream, "test", "echo", "", {}));
    EXPECT_EQ(raw.receive().second.status().code(), 3);
  }
}

TEST_F(TtrpcTest, FramesOfUnknownTypeAreIgnored) {
  Raw raw(path_);
  raw.send(header(3, 1, 9, 0) + "abc");
  raw.send(header(0, 1, 3, 5));
  raw.send(encode_request(1, "test", "echo", "x", {}));
  EXPECT_EQ(raw.receive().second.payload(), "x");
}

TEST_F(TtrpcTest, AMalformedRequestIsInvalidAndAStreamingOneUnimplemented) {
  Raw raw(path_);
  raw.send(encode_frame(1, type_request, "\xff\xff\xff"));
  EXPECT_EQ(raw.receive().second.status().code(), 3);
  std::string streaming = encode_request(3, "test", "echo", "", {});
  streaming[9] = 2;
  raw.send(streaming);
  EXPECT_EQ(raw.receive().second.status().code(), 12);
}

TEST_F(TtrpcTest, AConnectionCutOffWithinAFrameHurtsNobodyElse) {
  {
    Raw raw(path_);
    raw.send(header(100, 1, 1, 0).substr(0, 6));
  }
  {
    Raw raw(path_);
    raw.send(header(100, 1, 1, 0) + "only a part");
  }
  {
    Raw raw(path_);
    raw.send(encode_request(1, "test", "wait", "", {}));
  }
  BlockingClient client(path_);
  EXPECT_EQ(client.call("test", "echo", "fine"), "fine");
}

TEST_F(LimitedServer, AClientThatReadsNothingIsNotReadFromEither) {
  serve({.limits = {.unread = 10'000}});
  const Fd raw = connect_to(path_);
  // It can send only what buffers hold: the server stops reading when its answers are not taken.
  size_t sent = 0;
  const std::string request = encode_request(1, "test", "nothing", std::string(10'000, 'x'), {});
  for (pollfd entry{raw.get(), POLLOUT, 0}; ::poll(&entry, 1, 1000) == 1 && sent < 50'000'000;) {
    const ssize_t got = ::send(raw.get(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (got > 0) sent += static_cast<size_t>(got);
  }
  EXPECT_LT(sent, 50'000'000U);
  EXPECT_EQ(echo("others are served"), "others are served");
}

TEST_F(LimitedServer, SlowAndIdleConnectionsAreClosedAndOnesWithACallKept) {
  serve({.limits = {.idle_time = milliseconds(100), .frame_time = milliseconds(100)}});
  const Fd idle = connect_to(path_), in_header = connect_to(path_), in_body = connect_to(path_);
  BlockingClient waits(path_);
  write_all(in_header.get(), header(100, 1, 1, 0).substr(0, 3));
  write_all(in_body.get(), header(100, 1, 1, 0) + "abc");
  EXPECT_THROW(waits.call("test", "wait", "", milliseconds(400)), Error) << "this ends by its own time-out";
  for (const Fd* fd : {&idle, &in_header, &in_body}) EXPECT_EQ(read_to_end(fd->get()), "");
  EXPECT_EQ(refusals(Refusal::slow), 2);
  EXPECT_EQ(server_->connections(), 1U);
}

}  // namespace
}  // namespace flox::ttrpc
