#include "nix/path_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

TEST(PathInfo, hashes_are_read_in_every_form_that_nix_writes) {
  const Sha256Digest hash = sha256("hello\n");
  EXPECT_EQ(parse_hash(hash_text(hash)), hash);
  EXPECT_EQ(parse_hash("sha256:" + to_hex(bytes_of(hash))), hash);
  EXPECT_EQ(parse_hash("sha256:" + to_base64(bytes_of(hash))), hash);
  EXPECT_EQ(parse_hash("sha256-" + to_base64(bytes_of(hash))), hash);
  EXPECT_THAT(error_of([] { parse_hash("sha1:" + std::string(40, 'a')); }), HasSubstr("no other algorithm"));
  EXPECT_THAT(error_of([] { parse_hash("sha256:abc"); }), HasSubstr("wrong length"));
}

}  // namespace
}  // namespace flox::nix
