#include "shim/io/logger_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::shim {
namespace {

using testing::ElementsAre;

TEST(LoggerUriTest, NamesTheProgramAndItsArguments) {
  EXPECT_EQ(uri_scheme("/run/fifo"), "");
  EXPECT_EQ(uri_scheme("binary:///usr/bin/log?a=b"), "binary");
  EXPECT_EQ(uri_path("file:///var/log/a%20b"), "/var/log/a b");
  EXPECT_THAT(LoggerUri::parse("binary:///usr/bin/log?--id=a%3Db&flag").argv,
              ElementsAre("/usr/bin/log", "--id", "a=b", "flag"));
  EXPECT_THROW(LoggerUri::parse("binary://log"), Error);
  EXPECT_THROW(LoggerUri::parse("binary:///usr/bin/log%00/x"), Error);
  EXPECT_THROW(LoggerUri::parse("binary:///usr/bin/log?a=%00"), Error);
  EXPECT_THROW(LoggerUri::parse("binary:///" + std::string(100'000, 'x')), Error);
}

}  // namespace
}  // namespace flox::shim
