#include "base/net/netrc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

using testing::HasSubstr;

std::string found(std::string_view text, const std::string& host, const std::string& user = {}) {
  const auto login = login_in_netrc(text, host, user);
  return login ? login->user + "/" + login->password.reveal() : "none";
}

TEST(Netrc, has_logins_by_host) {
  constexpr std::string_view text =
      "# comment machine a login no password no\n"
      "machine a.org login u password p\n"
      "machine b.org\n\tlogin \"v\"\n\tpassword \"open \\\"sesame\\\"\" account x\n";
  EXPECT_EQ(found(text, "a.org"), "u/p");
  EXPECT_EQ(found(text, "b.org"), "v/open \"sesame\"");
  EXPECT_EQ(found(text, "a"), "none");
  EXPECT_EQ(found(text, "c.org"), "none");
  EXPECT_EQ(found("", "a.org"), "none");
}

TEST(Netrc, one_for_the_user_that_the_url_names_and_a_default) {
  constexpr std::string_view text =
      "machine h login u password p machine h login v password q default login d password e";
  EXPECT_EQ(found(text, "h"), "u/p");
  EXPECT_EQ(found(text, "h", "v"), "v/q");
  EXPECT_EQ(found(text, "h", "w"), "none");
  EXPECT_EQ(found(text, "other"), "d/e");
}

TEST(Netrc, macros_are_passed_over) {
  EXPECT_EQ(found("macdef init\nmachine h login no password no\n\nmachine h login u password p\n", "h"),
            "u/p");
  EXPECT_EQ(found("macdef init\nmachine h login no password no", "h"), "none");
  EXPECT_EQ(found("machine h login u password \"never closed", "h"), "u/never closed");
  EXPECT_EQ(found("macdef init\r\nmachine h login no\r\n \r\nmachine h login u password p\r\n", "h"), "u/p");
}

TEST(Netrc, an_entry_that_lacks_a_login_or_a_password_serves_where_no_whole_one_does) {
  EXPECT_EQ(found("machine h password p", "h"), "/p");
  EXPECT_EQ(found("machine h password p", "h", "u"), "u/p");
  EXPECT_EQ(found("machine h login u", "h"), "u/");
  EXPECT_EQ(found("machine h password p\nmachine h login v password q", "h"), "v/q");
  EXPECT_EQ(found("machine h password p\nmachine h login v password q", "h", "v"), "v/q");
  EXPECT_EQ(found("machine h password p\nmachine h login v password q", "h", "w"), "w/p");
  EXPECT_EQ(found("machine h login u\nmachine h password p", "h"), "/p");
  EXPECT_EQ(found("machine h\ndefault login d password e", "h"), "d/e");
  EXPECT_EQ(found("machine h\n", "h"), "none");
  EXPECT_EQ(found("machine other\nmachine h login u password p\nmachine third password x", "h"), "u/p");
}

TEST(Netrc, keywords_and_hosts_are_the_same_in_any_letter_case) {
  EXPECT_EQ(found("MACHINE H.Org Login u PASSWORD P", "h.ORG"), "u/P");
  EXPECT_EQ(found("machine h user u password p", "h"), "u/p");  // as Python and BSD have it
}

TEST(Netrc, a_value_that_is_a_keyword_is_a_value) {
  EXPECT_EQ(found("machine x login machine password h machine h login default password password", "h"),
            "default/password");
}

TEST(SharedSecretFile, is_a_regular_file_of_bounded_size) {
  const TempDir temp;
  write_file(temp.path() / "secret", "s3cret\n", 0600);
  EXPECT_EQ(read_shared_secret_file(temp.path() / "secret").reveal(), "s3cret\n");
  write_file(temp.path() / "huge", std::string((1 << 20) + 1, 'x'), 0600);
  EXPECT_THROW(read_shared_secret_file(temp.path() / "huge"), Error);
  EXPECT_THROW(read_shared_secret_file("/dev/null"), Error);
  EXPECT_THROW(read_shared_secret_file(temp.path() / "none"), Error);
}

}  // namespace
}  // namespace flox
