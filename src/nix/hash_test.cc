#include "nix/hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "nix/testing/examples.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

TEST(Hash, has_the_text_forms_of_nix_in_every_algorithm) {
  const Hash sha256 = hash_of(HashAlgorithm::sha256, "hello\n");
  EXPECT_EQ(sha256.to_text(), "sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq");
  EXPECT_EQ(sha256.to_hex(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(Hash::parse("sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM="), sha256);
  for (const HashAlgorithm algorithm :
       {HashAlgorithm::md5, HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha512}) {
    const Hash hash = hash_of(algorithm, "hello\n");
    const std::string name(to_string(algorithm));
    EXPECT_EQ(find_hash_algorithm(name), algorithm);
    EXPECT_EQ(Hash::parse(hash.to_text()), hash);
    EXPECT_EQ(Hash::parse(name + "-" + to_base64(hash.bytes)), hash);
    EXPECT_EQ(Hash::parse(name + ":" + hash.to_hex()), hash);
  }
  EXPECT_THAT(error_of([] { Hash::parse("sha3:abc"); }), HasSubstr("not a hash algorithm"));
  EXPECT_THAT(error_of([] { Hash::parse("abc"); }), HasSubstr("name of an algorithm"));
  EXPECT_THAT(error_of([] { Hash::parse("md5-abc"); }), HasSubstr("wrong length"));
}

}  // namespace
}  // namespace flox::nix
