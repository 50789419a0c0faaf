#include "base/net/url.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "base/error.h"
#include "base/printable.h"

namespace flox {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HttpUrl, is_taken_apart_and_put_together_without_its_login) {
  const HttpUrl url = HttpUrl::parse("https://me:s%40cret@Cache.Example.org:8443/a/b?c=d#e");
  EXPECT_EQ(url.host, "cache.example.org");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/a/b?c=d");
  EXPECT_EQ(url.login->user, "me");
  EXPECT_EQ(url.login->password.reveal(), "s@cret");
  EXPECT_EQ(url.to_string(), "https://cache.example.org:8443/a/b?c=d");
  EXPECT_EQ(HttpUrl::parse("http://[2001:DB8::1]:80").to_string(), "http://[2001:db8::1]/");
  EXPECT_EQ(HttpUrl::parse("http://h?q").target, "/?q");
  EXPECT_EQ(HttpUrl::parse("http://a_b.-c/a|b?[1]^100%").target, "/a|b?[1]^100%");
  EXPECT_EQ(HttpUrl::parse("http://[fe80::1%25eth0]:80/").host, "fe80::1%25eth0");
}

TEST(HttpUrl, has_an_origin_of_scheme_host_and_port) {
  const auto origin = [](const char* url) { return HttpUrl::parse(url).origin(); };
  EXPECT_EQ(origin("https://h/a"), origin("https://H:443/b?c"));
  EXPECT_NE(origin("https://h/"), origin("http://h/"));
  EXPECT_NE(origin("https://h/"), origin("https://h:444/"));
  EXPECT_NE(origin("https://h/"), origin("https://h.evil.org/"));
}

TEST(HttpUrl, what_readers_could_understand_differently_is_refused_without_quoting_it) {
  for (const char* odd : {"",
                          "h",
                          "//h/x",
                          "ftp://h/",
                          "http://",
                          "http:///x",
                          "http://:80/",
                          "http://h:0/",
                          "http://h:65536/",
                          "http://h:x/",
                          "http://h\\@evil/",
                          "http://h/\r\nx",
                          "http://h /",
                          "http://h/\x80",
                          "http://[::1/",
                          "http://h%2eevil/",
                          "http://user:pa/ss@h/",
                          "http://[::1]x/",
                          "http://[zz]/",
                          "http://[v1.x]/",
                          "http://[1:2:3:4:5:6:7:8:9]/",
                          "http://[]/",
                          "http://h^x/",
                          "http://h\"x/",
                          "http://h|x/",
                          "http://h[x/"})
    EXPECT_THROW(HttpUrl::parse(odd), Error) << odd;
  EXPECT_THROW(HttpUrl::parse("http://h/" + std::string(10'000, 'x')), Error);
  try {
    HttpUrl::parse("http://user:s3cret@h:port/");
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("s3cret")));
  }
  // The last '@' before the path ends the login.
  EXPECT_EQ(HttpUrl::parse("http://good.org@evil.org/").host, "evil.org");
  EXPECT_EQ(HttpUrl::parse("http://a@b@evil.org/").host, "evil.org");
}

TEST(HttpUrl, a_login_is_split_off_or_hidden) {
  EXPECT_EQ(split_login("https://u:p@h/x?y").first, "https://h/x?y");
  EXPECT_EQ(split_login("https://h/x@y").first, "https://h/x@y");
  EXPECT_FALSE(split_login("https://h/x@y").second);
  EXPECT_EQ(hide_login("https://u:p@h/x?y"), "https://***@h/x?y");
  EXPECT_EQ(hide_login("s3://bucket?profile=p"), "s3://bucket?profile=p");
}

TEST(Network, of_an_address_whatever_its_spelling) {
  for (const char* address :
       {"169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.1",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fe80::1", "fe80::1%eth0",
        "febf::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"})
    EXPECT_EQ(network_of_host(address), Network::link_local) << address;
  for (const char* address : {"127.0.0.1", "127.1", "0.0.0.0", "0", "2130706433", "::1",
                              "::", "::ffff:127.0.0.1", "localhost", "a.localhost", "localhost."})
    EXPECT_EQ(network_of_host(address), Network::loopback) << address;
  for (const char* address :
       {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1",
        "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:10.0.0.1"})
    EXPECT_EQ(network_of_host(address), Network::local) << address;
  for (const char* address :
       {"1.1.1.1", "172.32.0.1", "172.15.0.1", "2606:4700::1111", "100.128.0.1", "128.0.0.1"})
    EXPECT_EQ(network_of_host(address), Network::internet) << address;
  for (const char* name : {"example.org", "localhost.example.org", "1.2.3.4.example.org"})
    EXPECT_FALSE(network_of_host(name)) << name;
}

TEST(Network, of_a_socket_address_is_the_same) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  ::inet_pton(AF_INET, "169.254.169.254", &v4.sin_addr);
  EXPECT_EQ(network_of(reinterpret_cast<const sockaddr&>(v4)), Network::link_local);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  ::inet_pton(AF_INET6, "::ffff:10.0.0.1", &v6.sin6_addr);
  EXPECT_EQ(network_of(reinterpret_cast<const sockaddr&>(v6)), Network::local);
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_EQ(network_of(other), Network::link_local);
}

TEST(Network, leads_to_others_that_trust_their_neighbours_no_more_than_it_does) {
  for (const Network from : {Network::link_local, Network::loopback, Network::local, Network::internet}) {
    EXPECT_FALSE(may_lead(from, Network::link_local));
    EXPECT_TRUE(may_lead(from, Network::internet));
    EXPECT_EQ(may_lead(from, Network::loopback), from == Network::loopback);
    EXPECT_EQ(may_lead(from, Network::local), from == Network::loopback || from == Network::local);
  }
}

TEST(Printable, text_of_strangers_moves_no_cursor_and_ends_no_line) {
  EXPECT_EQ(printable("a\033[2Jb\r\nc\td\x7f"), "a\uFFFD[2Jb\uFFFD\uFFFDc\uFFFDd\uFFFD");
  EXPECT_EQ(printable("\u009b31m \u202egpj.exe \u2066x\u2028y"), "\uFFFD31m \uFFFDgpj.exe \uFFFDx\uFFFDy");
  EXPECT_EQ(printable("a\xff\xc0\xaf\xed\xa0\x80z"), "a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(printable("naïve – 日本語 🎫"), "naïve – 日本語 🎫");
  EXPECT_EQ(printable(std::string(2000, 'x'), 10), "xxxxxxxxxx…");
  EXPECT_EQ(printable("ééééé", 3), "ééé…");
  EXPECT_EQ(printable_lines("a\n\tb\033[0m"), "a\n\tb\uFFFD[0m");
  EXPECT_EQ(printable("\xe2\x82"), "\uFFFD\uFFFD");
}

}  // namespace
}  // namespace flox
