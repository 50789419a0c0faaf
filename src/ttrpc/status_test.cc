#include "ttrpc/status.h"

#include <gtest/gtest.h>

#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

TEST_F(TtrpcTest, EveryErrorKindSurvivesTheRoundTrip) {
  for (ErrorKind kind : {ErrorKind::not_found, ErrorKind::invalid_input, ErrorKind::untrusted,
                         ErrorKind::conflict, ErrorKind::unavailable, ErrorKind::internal})
    EXPECT_EQ(error_of(status_of(Error(kind, "x"))).kind(), kind);
  EXPECT_EQ(status_of(StatusError(Code::failed_precondition, "x")).code, Code::failed_precondition);
  EXPECT_EQ(status_of(std::runtime_error("x")).code, Code::unknown);
}

}  // namespace
}  // namespace flox::ttrpc
