#include "server/pages/address.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

TEST(Address, WithoutSegmentsIsTheStartPage) { EXPECT_EQ(Address({}).text(), "/"); }

TEST(Address, NeverLeadsToAnotherServer) {
  EXPECT_EQ(Address({"", "evil.example"}).text(), "/evil.example");
  EXPECT_EQ(Address({"/evil.example"}).text(), "/%2Fevil.example");
}

TEST(Address, LeavesOutMembersWithoutAValue) {
  EXPECT_EQ(Address({}).with("q", "").with("system", "x86_64-linux").with("page", "2").text(),
            "/?system=x86_64-linux&page=2");
}

TEST(Address, EncodesBytesThatAreNotAscii) { EXPECT_EQ(Address({"é b"}).text(), "/%C3%A9%20b"); }

}  // namespace
}  // namespace flox::server
