#include "ttrpc/blocking_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST_F(TtrpcTest, AnswersCalls) {
  BlockingClient client(path_);
  EXPECT_EQ(client.call("test", "echo", "hello"), "hello");
  EXPECT_EQ(client.call("test", "echo", ""), "");
  std::string big(3 << 20, 'b');
  EXPECT_EQ(client.call("test", "echo", big, milliseconds(5000)), big);
}

TEST_F(TtrpcTest, CarriesErrorsWithKindAndAdvice) {
  BlockingClient client(path_);
  try {
    client.call("test", "missing", "");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_STREQ(error.what(), "realising web: no such package");
    EXPECT_EQ(error.advice(), "Publish it first.");
  }
}

TEST_F(TtrpcTest, ATimeOutIsUnavailable) {
  BlockingClient client(path_);
  try {
    client.call("test", "wait", "", milliseconds(30));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr(path_));
  }
}

TEST_F(TtrpcTest, NobodyListeningIsUnavailableAndNamesTheSocket) {
  try {
    BlockingClient client("/nonexistent/node.sock");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/node.sock"));
  }
}

}  // namespace
}  // namespace flox::ttrpc
