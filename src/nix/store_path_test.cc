#include "nix/store_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/data/bytes.h"
#include "nix/content_address.h"
#include "nix/hash.h"
#include "nix/path_info.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

Sha256Digest digest_from_hex(std::string_view hex) {
  Sha256Digest digest;
  std::ranges::copy(from_hex(hex), digest.begin());
  return digest;
}

TEST(StorePath, has_a_digest_and_a_name) {
  const StorePath path = StorePath::parse("/nix/store/i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");
  EXPECT_EQ(path.digest(), "i9pmrzmpshapij2kin22pff6fc2adavx");
  EXPECT_EQ(path.name(), "hello.txt");
  EXPECT_EQ(StorePath::containing(path.to_string() + "/bin/web"), path);
  EXPECT_EQ(StorePath::containing(path.to_string()), path);
}

TEST(StorePath, refuses_malformed_names_and_says_why) {
  const std::string digest = "i9pmrzmpshapij2kin22pff6fc2adavx";
  EXPECT_EQ(StorePath::from_base_name(digest + "-" + std::string(211, 'a')).name().size(), 211u);
  EXPECT_NO_THROW(StorePath::from_base_name(digest + "--dash"));
  EXPECT_NO_THROW(StorePath::from_base_name(digest + "-.hidden"));
  struct Case {
    std::string base_name, reason;
  };
  for (const Case& c : std::vector<Case>{{digest + "-" + std::string(212, 'a'), "212 characters"},
                                         {digest + "-", "too short"},
                                         {digest + "-a b", "character ' '"},
                                         {digest + "-a/b", "character '/'"},
                                         {digest + "-a~b", "character '~'"},
                                         {digest + "-.", "starts with '.'"},
                                         {digest + "-..-x", "starts with '..'"},
                                         {digest + "_a", "no '-'"},
                                         {"e" + digest.substr(1) + "-a", "not a digest"}})
    EXPECT_THAT(error_of([&] { StorePath::from_base_name(c.base_name); }), HasSubstr(c.reason));
  EXPECT_THAT(error_of([&] { StorePath::parse("/nix/stores/" + digest + "-a"); }),
              HasSubstr("not directly below"));
  EXPECT_THAT(error_of([&] { StorePath::parse("/nix/store"); }), HasSubstr("not directly below"));
}

TEST(StorePath, content_addressed_paths_are_those_of_nix) {
  auto path = [](std::string_view name, std::string_view hex) {
    return ContentAddress::of_nar(digest_from_hex(hex)).path(name).base_name();
  };
  const std::string tree = "b3bd4d52fdde1fcf15d7ad56b6980d9e01dfa89462bea30d98dd6162a5e85518";
  EXPECT_EQ(path("tree", tree), "ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree");
  EXPECT_EQ(path("foo", tree), "0fp3zp4kshpx9nhv5c1vnibdpdp7ah86-foo");
  const auto hello =
      ContentAddress::of_nar(parse_hash("sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw"));
  EXPECT_EQ(hello.path("hello.txt").base_name(), "i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");
  EXPECT_THAT(error_of([&] { hello.path(".x"); }), HasSubstr("starts with a dot"));
}

TEST(StorePath, a_digest_is_32_characters_of_base_32) {
  EXPECT_TRUE(is_digest("i9pmrzmpshapij2kin22pff6fc2adavx"));
  for (const char* text : {"", "i9pmrzmpshapij2kin22pff6fc2adav", "i9pmrzmpshapij2kin22pff6fc2adavx0",
                           "e9pmrzmpshapij2kin22pff6fc2adavx"})
    EXPECT_FALSE(is_digest(text)) << text;
}

}  // namespace
}  // namespace flox::nix
