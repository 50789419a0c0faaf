// Whom the installer believes.
#include "store/fetch/trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::store {
namespace {

using nix::ContentAddress;
using nix::ContentMethod;
using nix::HashAlgorithm;
using testing::HasSubstr;

// A file "hello" with this address of its text.
nix::PathInfo addressed(ContentMethod method, HashAlgorithm algorithm) {
  nix::Hasher hasher(algorithm);
  hasher.update("hello\n");
  const ContentAddress address{.method = method, .hash = hasher.finish()};
  return {.path = address.path("hello"),
          .nar_hash = sha256("its NAR"),
          .nar_size = 120,
          .content_address = address};
}

// Empty if the path is believed.
std::string refusal(const nix::PathInfo& info, const nix::TrustedKeys& keys, bool trust_content_addressed) {
  try {
    check_trust(info, keys, trust_content_addressed);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::untrusted);
    return error.what();
  }
  return {};
}

TEST(Trust, an_address_by_a_hash_that_can_be_forged_proves_nothing) {
  using enum ContentMethod;
  using enum HashAlgorithm;
  for (const auto& [method, algorithm] :
       {std::pair{nar, sha256}, {nar, sha512}, {flat, sha256}, {text, sha256}})
    EXPECT_EQ(refusal(addressed(method, algorithm), {}, true), "");
  for (const auto& [method, algorithm] : {std::pair{nar, sha1}, {nar, md5}, {flat, sha1}, {flat, md5}})
    EXPECT_THAT(refusal(addressed(method, algorithm), {}, true), HasSubstr("it is not signed"));
  EXPECT_THAT(refusal(addressed(flat, sha256), {}, false), HasSubstr("it is not signed"));
}

TEST(Trust, an_address_that_belongs_to_another_name_is_refused_whoever_signed) {
  const nix::SecretKey key = nix::SecretKey::generate("k");
  nix::TrustedKeys keys;
  keys.add(key.public_key());
  for (const ContentMethod method : {ContentMethod::flat, ContentMethod::text, ContentMethod::nar}) {
    nix::PathInfo info = addressed(method, HashAlgorithm::sha256);
    nix::sign(info, key);
    EXPECT_EQ(refusal(info, keys, false), "");
    info.path = nix::StorePath::from_base_name(std::string(info.path.digest()) + "-other");
    nix::sign(info, key);
    EXPECT_THAT(refusal(info, keys, true), HasSubstr("does not belong to"));
    info.content_address.reset();
    EXPECT_EQ(refusal(info, keys, true), "");
  }
}

}  // namespace
}  // namespace flox::store
