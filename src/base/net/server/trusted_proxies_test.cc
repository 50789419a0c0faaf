#include "base/net/server/trusted_proxies.h"

#include <gtest/gtest.h>

#include "base/net/server/http_server.h"

namespace flox {
namespace {

const TrustedProxies proxies({"10.0.0.0/8", "192.0.2.1", "fd00::/8"});

std::string client(const std::string& peer, const std::string& field, const std::string& value) {
  try {
    return proxies.client_of(peer, {{field, value}});
  } catch (const StatusError& error) {
    return std::to_string(error.status());
  }
}
std::string older(const std::string& peer, const std::string& value) {
  return client(peer, "x-forwarded-for", value);
}
std::string standard(const std::string& value) { return client("10.1.2.3", "forwarded", value); }

TEST(TrustedProxies, a_stranger_is_who_connects_whatever_the_request_says) {
  EXPECT_EQ(older("198.51.100.7", "10.0.0.1"), "198.51.100.7");
  EXPECT_EQ(client("198.51.100.7", "forwarded", "for=10.0.0.1"), "198.51.100.7");
  EXPECT_EQ(TrustedProxies({}).client_of("10.0.0.1", {{"x-forwarded-for", "198.51.100.7"}}), "10.0.0.1");
}

TEST(TrustedProxies, what_the_client_itself_wrote_stands_before_its_address_and_does_not_count) {
  EXPECT_EQ(older("10.0.0.1", "198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(older("10.0.0.1", "203.0.113.9, 198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(older("10.0.0.1", "203.0.113.9, 198.51.100.7,10.9.9.9 , 192.0.2.1"), "198.51.100.7");
  EXPECT_EQ(older("10.0.0.1", "nonsense, 198.51.100.7"), "198.51.100.7");
  EXPECT_EQ(older("10.0.0.1", "10.0.0.9"), "10.0.0.9");
}

TEST(TrustedProxies, reads_forwarded_as_rfc_7239_has_it) {
  EXPECT_EQ(standard("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
  EXPECT_EQ(standard("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
  EXPECT_EQ(standard("for=192.0.2.43, for=198.51.100.17;by=10.0.0.2"), "198.51.100.17");
  EXPECT_EQ(standard("for=\"198.51.100.17:80\""), "198.51.100.17");
  EXPECT_EQ(standard("for=192.0.2.43, for=unknown"), "10.1.2.3");
  EXPECT_EQ(standard("for=192.0.2.43, for=_hidden"), "10.1.2.3");
  EXPECT_EQ(standard("by=203.0.113.43"), "10.1.2.3");
}

TEST(TrustedProxies, what_a_trusted_proxy_sends_and_nobody_can_read_is_refused) {
  for (const char* bad : {"for", "for=\"198.51.100.7", "for=", "for=[::1", "for=1.2.3", ""})
    EXPECT_EQ(standard(bad), "400") << bad;
  for (const char* bad : {"", ",", "1.2.3", "[::1", "198.51.100.7, x"})
    EXPECT_EQ(older("10.0.0.1", bad), "400") << bad;
  std::string long_way;
  for (int i = 0; i < 40; ++i) long_way += "10.0.0.1,";
  EXPECT_EQ(older("10.0.0.1", long_way + "10.0.0.1"), "400");
  EXPECT_THROW(
      proxies.client_of("10.0.0.1", {{"forwarded", "for=198.51.100.7"}, {"x-forwarded-for", "198.51.100.8"}}),
      StatusError);
}

TEST(TrustedProxies, networks_of_both_kinds_hold_what_they_say) {
  EXPECT_TRUE(proxies.contains("10.255.0.1"));
  EXPECT_TRUE(proxies.contains("::ffff:10.0.0.1"));
  EXPECT_TRUE(proxies.contains("fdff::1"));
  EXPECT_FALSE(proxies.contains("11.0.0.1"));
  EXPECT_FALSE(proxies.contains("192.0.2.2"));
  EXPECT_FALSE(proxies.contains("fe00::1"));
  EXPECT_TRUE(TrustedProxies({"0.0.0.0/0"}).contains("198.51.100.7"));
  EXPECT_FALSE(TrustedProxies({"0.0.0.0/0"}).contains("2001:db8::1"));
  EXPECT_TRUE(TrustedProxies({"172.16.0.0/12"}).contains("172.31.255.255"));
  EXPECT_FALSE(TrustedProxies({"172.16.0.0/12"}).contains("172.32.0.0"));
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "proxy", "10.0.0.0/8x"})
    EXPECT_THROW(TrustedProxies({bad}), Error) << bad;
}

}  // namespace
}  // namespace flox
