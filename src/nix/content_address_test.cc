#include "nix/content_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "nix/testing/examples.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

// The worked examples of docs/formats/store-path.md: what `nix-store --add-fixed` and builtins.toFile print.
TEST(ContentAddress, gives_the_paths_that_nix_gives) {
  using enum HashAlgorithm;
  auto flat = [](HashAlgorithm algorithm) {
    return ContentAddress{ContentMethod::flat, hash_of(algorithm, "hello\n")}.path("hello.txt").base_name();
  };
  EXPECT_EQ(flat(sha256), "gy454w1cxaq731grqwylhzf4pp9r5izh-hello.txt");
  EXPECT_EQ(flat(sha1), "svdva85yi507g9vncgsaxvnd1r808h4w-hello.txt");
  EXPECT_EQ(flat(md5), "dra1cz5vbrhclpv4y1q0psnbkxz581bk-hello.txt");
  EXPECT_EQ(flat(sha512), "9a8mxachqmcv8x2cfijdps9dyxgyyrzm-hello.txt");
  const ContentAddress nar =
      ContentAddress::parse("fixed:r:sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw").value();
  EXPECT_EQ(nar.path("hello.txt").base_name(), "i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");

  const ContentAddress text{ContentMethod::text, hash_of(sha256, "hello\n")};
  EXPECT_EQ(text.path("hello.txt").base_name(), "qa1w9gdfrba6jl2r57mb3c43863gqywp-hello.txt");
  const StorePath a = ContentAddress{ContentMethod::text, hash_of(sha256, "x")}.path("a");
  EXPECT_EQ(a.base_name(), "12wigjpizrn8axaqxj288q1b751qmwya-a");
  const ContentAddress b{ContentMethod::text, hash_of(sha256, "see " + a.to_string() + "\n")};
  EXPECT_EQ(b.path("b", {a}).base_name(), "mx0z4jmq297zgriyic65mbp6x2k41gn4-b");
}

TEST(ContentAddress, survives_its_text_form_and_names_its_path) {
  for (const char* text : {"text:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq",
                           "fixed:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq",
                           "fixed:r:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq"})
    EXPECT_EQ(ContentAddress::parse(text).value().to_string(), text);
  const StorePath a = StorePath::from_base_name("12wigjpizrn8axaqxj288q1b751qmwya-a");
  const ContentAddress nar =
      ContentAddress::parse("fixed:r:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq").value();
  const StorePath self = nar.path("self", {a}, true);
  EXPECT_TRUE(names(nar, self, {a, self}));
  EXPECT_FALSE(names(nar, self, {a}));
  EXPECT_FALSE(names(nar, a, {}));
  const ContentAddress flat =
      ContentAddress::parse("fixed:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq").value();
  EXPECT_FALSE(names(flat, flat.path("x"), {a}));
  EXPECT_THAT(error_of([&] { flat.path("x", {a}); }), HasSubstr("cannot have references"));
}

TEST(ContentAddress, of_a_form_that_others_have_is_told_from_what_is_no_address) {
  for (const char* text : {"fixed:git:sha1:aa", "fixed:r:blake3:x", "fixed:blake3:x", "nar:x"})
    EXPECT_EQ(ContentAddress::parse(text), std::nullopt) << text;
  for (const char* text : {"", "x", "text:x", "fixed:", "fixed:r:", "fixed:sha256:x", "fixed:r:sha256:x",
                           "text:sha1:kkzxjhxrrm1dvk23vz7yra1gvpqj0cng"})
    EXPECT_THAT(error_of([&] { ContentAddress::parse(text); }), HasSubstr("content address")) << text;
}

}  // namespace
}  // namespace flox::nix
