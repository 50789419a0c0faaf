#include "base/settings/address.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox {
namespace {

TEST(AddressPort, is_read_with_and_without_brackets) {
  EXPECT_EQ(AddressPort::parse("127.0.0.1:8590").address, "127.0.0.1");
  EXPECT_EQ(AddressPort::parse("127.0.0.1:8590").port, 8590);
  EXPECT_EQ(AddressPort::parse("[::1]:0").address, "::1");
  EXPECT_EQ(AddressPort::parse("::1:80").to_string(), "[::1]:80");
  EXPECT_EQ(AddressPort::parse("0.0.0.0:0").with_port(81), "0.0.0.0:81");
}

TEST(AddressPort, of_another_form_is_refused) {
  for (const char* text : {"", "127.0.0.1", "8590", ":8590", "[]:80", "127.0.0.1:", "127.0.0.1:65536",
                           "127.0.0.1:-1", "127.0.0.1: 80", "127.0.0.1:80x"})
    EXPECT_THROW(AddressPort::parse(text), Error) << text;
}

}  // namespace
}  // namespace flox
