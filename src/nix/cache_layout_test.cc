// Names, media types and sizes of a binary cache's files.
#include "nix/cache_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::nix {
namespace {

using testing::Optional;

const std::string digest = "i9pmrzmpshapij2kin22pff6fc2adavx";
const std::string hash = "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq";

TEST(CacheLayout, files_of_a_path_are_named_after_its_digest) {
  const StorePath path = StorePath::from_base_name(digest + "-hello.txt");
  EXPECT_EQ(narinfo_name(path), digest + ".narinfo");
  EXPECT_EQ(listing_name(path), digest + ".ls");
  EXPECT_THAT(digest_of_narinfo_name(narinfo_name(path)), Optional(std::string_view(digest)));
  EXPECT_THAT(digest_of_listing_name(listing_name(path)), Optional(std::string_view(digest)));
  for (const std::string& name : {std::string(), digest, digest + ".ls", "x" + digest + ".narinfo",
                                  "../" + digest + ".narinfo", std::string(32, 'e') + ".narinfo"})
    EXPECT_FALSE(digest_of_narinfo_name(name)) << name;
}

TEST(CacheLayout, nar_files_are_named_after_their_own_hash_and_their_compression) {
  for (const char* compression : {"none", "zstd", "xz", "bzip2", "br", "gzip"}) {
    const std::string name = nar_file_name(sha256("hello\n"), compression);
    EXPECT_EQ(name, "nar/" + hash + std::string(nar_suffix(compression).value()));
    const auto parsed = NarFileName::parse(name);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(parsed->file_hash, sha256("hello\n"));
    EXPECT_EQ(parsed->compression, compression);
  }
  EXPECT_EQ(nar_file_name(sha256("hello\n"), "zstd"), "nar/" + hash + ".nar.zst");
  EXPECT_THROW(nar_file_name(sha256("hello\n"), "lzip"), Error);
  for (const std::string& name :
       {std::string(), std::string("nar/"), "nar/" + hash, hash + ".nar", "nar/" + hash + ".nar.lz",
        "nar/../" + hash + ".nar", "nar/" + hash.substr(1) + ".nar", "nar/z" + hash.substr(1) + ".nar"})
    EXPECT_FALSE(NarFileName::parse(name)) << name;
}

TEST(CacheLayout, indexes_are_named_after_their_own_hash) {
  const std::string name = index_file_name(sha256("hello\n"));
  EXPECT_EQ(name, "nar/" + hash + ".index.zst");
  EXPECT_EQ(hash_of_index_name(name), sha256("hello\n"));
  EXPECT_FALSE(NarFileName::parse(name));
  for (const std::string& other :
       {std::string(), "nar/" + hash + ".index", "nar/" + hash + ".nar.zst", hash + ".index.zst",
        "nar/../" + hash + ".index.zst", "nar/z" + hash.substr(1) + ".index.zst"})
    EXPECT_FALSE(hash_of_index_name(other)) << other;
  EXPECT_EQ(hash_of_file_name(name), sha256("hello\n"));
  EXPECT_EQ(hash_of_file_name("nar/" + hash + ".nar.xz"), sha256("hello\n"));
  EXPECT_FALSE(hash_of_file_name(digest + ".narinfo"));
}

TEST(CacheLayout, files_have_the_media_types_of_nix) {
  EXPECT_EQ(media_type_of("nix-cache-info"), "text/x-nix-cache-info");
  EXPECT_EQ(media_type_of(digest + ".narinfo"), "text/x-nix-narinfo");
  EXPECT_EQ(media_type_of(digest + ".ls"), "application/json");
  EXPECT_EQ(media_type_of("nar/" + hash + ".nar.zst"), "application/x-nix-nar");
  EXPECT_EQ(media_type_of("nar/" + hash + ".index.zst"), "application/zstd");
}

}  // namespace
}  // namespace flox::nix
