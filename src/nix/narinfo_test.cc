#include "nix/narinfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nix/cache_layout.h"
#include "nix/testing/examples.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(NarInfo, text_survives_reading_and_writing) {
  const NarInfo info = NarInfo::parse(narinfo_text);
  EXPECT_EQ(info.info.nar_size, 1064u);
  EXPECT_EQ(info.info.references.size(), 2u);
  EXPECT_THAT(info.info.signatures, ElementsAre("a:b", "c:d"));
  EXPECT_EQ(info.to_string(), narinfo_text);
}

TEST(NarInfo, the_order_of_keys_and_unknown_keys_do_not_matter_and_bzip2_is_the_default) {
  const NarInfo info = NarInfo::parse(
      "References: \nSystem: x86_64-linux\nNarSize: 5\nNarHash: "
      "sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw\n"
      "Deriver: unknown-deriver\nURL: x\nStorePath: /nix/store/ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree\n");
  EXPECT_EQ(info.compression, "bzip2");
  EXPECT_FALSE(info.info.deriver);
  EXPECT_THAT(info.to_string(), HasSubstr("References: \n"));
}

TEST(NarInfo, an_index_and_its_signatures_survive_reading_and_writing) {
  NarInfo narinfo = NarInfo::parse(narinfo_text);
  EXPECT_FALSE(narinfo.index_hash);
  EXPECT_EQ(NarInfo::index_in(narinfo_text), "");
  narinfo.index_hash = sha256("index");
  narinfo.index_signatures = {"k:one", "l:two"};
  const std::string text = narinfo.to_string();
  EXPECT_THAT(text,
              HasSubstr("\nFloxIndex: " + hash_text(sha256("index")) + "\nFloxIndexSig: k:one l:two\n"));
  const NarInfo again = NarInfo::parse(text);
  EXPECT_EQ(again.index_hash, narinfo.index_hash);
  EXPECT_THAT(again.index_signatures, ElementsAre("k:one", "l:two"));
  EXPECT_EQ(NarInfo::index_in(text), index_file_name(sha256("index")));
  EXPECT_EQ(again.info.fingerprint(), NarInfo::parse(narinfo_text).info.fingerprint());
  EXPECT_THAT(error_of([&] { NarInfo::parse(std::string(narinfo_text) + "FloxIndexSig: k:one\n"); }),
              HasSubstr("FloxIndexSig: there is no FloxIndex"));
  EXPECT_THAT(error_of([&] { NarInfo::parse(std::string(narinfo_text) + "FloxIndex: sha256:0\n"); }),
              HasSubstr("FloxIndex"));
}

TEST(NarInfo, malformed_files_are_refused_with_the_key_at_fault) {
  const std::string good(narinfo_text);
  auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  struct Case {
    std::string text, reason;
  };
  const std::vector<Case> cases = {
      {"", "StorePath is missing"},
      {good.substr(0, good.size() - 1), "cut off"},
      {with("URL: nar/1.nar.zst\n", ""), "URL is missing"},
      {with("NarHash: ", "Other: "), "NarHash is missing"},
      {with("NarSize: 1064", "NarSize: 0"), "NarSize is missing or 0"},
      {with("NarSize: 1064", "NarSize: -1"), "NarSize"},
      {with("NarSize: 1064", "NarSize: 99999999999999999999999"), "NarSize"},
      {with("NarSize: 1064", "NarSize: 12x"), "NarSize"},
      {with("NarSize: 1064", "NarSize: 1064\nNarSize: 1065"), "NarSize: given twice"},
      {with("NarHash: sha256:04", "NarHash: sha256:0"), "NarHash"},
      {with("NarHash: sha256:04", "NarHash: md5:04"), "NarHash"},
      {with("/nix/store/ng", "/gnu/store/ng"), "StorePath"},
      {with("References: 0fp", "References: ../0fp"), "References"},
      {with("URL: nar", "URL nar"), "no colon"},
      {with("URL: nar", std::string("URL: n\0r", 8)), "control character"},
  };
  for (const Case& c : cases)
    EXPECT_THAT(error_of([&] { NarInfo::parse(c.text); }), HasSubstr(c.reason)) << c.text;
}

TEST(NarInfo, of_another_path_is_refused_and_a_damaged_one_still_names_its_nar) {
  const StorePath tree = StorePath::from_base_name("ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree");
  const StorePath foo = StorePath::from_base_name("0fp3zp4kshpx9nhv5c1vnibdpdp7ah86-foo");
  EXPECT_EQ(NarInfo::parse(narinfo_text, tree).info.path, tree);
  EXPECT_THAT(error_of([&] { NarInfo::parse(narinfo_text, foo); }),
              HasSubstr("instead of " + foo.to_string()));
  EXPECT_EQ(NarInfo::url_in(narinfo_text), "nar/1.nar.zst");
  EXPECT_EQ(NarInfo::url_in("junk\nURL: x"), "x");
  EXPECT_EQ(NarInfo::url_in("NOURL: x\n"), "");
}

TEST(NarInfo, a_content_address_that_we_do_not_know_is_left_out_and_a_malformed_one_is_refused) {
  const std::string good(narinfo_text.substr(0, narinfo_text.find("CA: ")));
  EXPECT_FALSE(NarInfo::parse(good + "CA: fixed:git:sha1:aa\n").info.content_address);
  EXPECT_THAT(error_of([&] { NarInfo::parse(good + "CA: fixed:sha256:x\n"); }), HasSubstr("narinfo: CA"));
}

}  // namespace
}  // namespace flox::nix
