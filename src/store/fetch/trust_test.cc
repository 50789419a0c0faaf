// Whom the installer believes, and what becomes of a realisation where it does not.
#include "store/fetch/trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/net/http_client.h"
#include "store/testing/published_closure.h"

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

TEST_F(RealiseTest, unsigned_wrongly_signed_and_foreign_paths_are_refused) {
  edit_narinfo("cache", *lib_, [](nix::NarInfo& info) { info.info.signatures.clear(); });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted), HasSubstr("it is not signed"));

  const std::string stranger = nix::SecretKey::generate("stranger").sign("x");
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.signatures = {stranger}; });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              HasSubstr("signed by stranger, whom we do not trust"));

  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.signatures = {key_.sign("x")}; });
  EXPECT_THAT(error_of(options({url("cache")}), ErrorKind::untrusted),
              HasSubstr("signature by publisher-1 is wrong"));
}

TEST_F(RealiseTest, a_content_address_counts_as_proof_only_if_the_operator_says_so_and_it_is_right) {
  for (const auto& path : {*app_, *lib_, *base_})
    edit_narinfo("cache", path, [](nix::NarInfo& info) { info.info.signatures.clear(); });
  error_of(options({url("cache")}), ErrorKind::untrusted);
  RealiseOptions how = options({url("cache")});
  how.trust_content_addressed = true;
  {
    LocalStore store(node());
    realise(store, {*app_}, how);
    expect_realised();
  }
  remove_tree(node());
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.references.clear(); });
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("does not belong to"));
  edit_narinfo("cache", *lib_, [&](nix::NarInfo& info) { info.info.content_address.reset(); });
  EXPECT_THAT(error_of(how, ErrorKind::untrusted), HasSubstr("it is not signed"));
}

TEST_F(RealiseTest, a_cache_whose_url_names_keys_is_believed_for_those_only) {
  const std::string other = nix::SecretKey::generate("other-1").public_key().to_string();
  EXPECT_THAT(error_of(options({url("cache") + "?trusted-key=" + url_encode(other)}), ErrorKind::untrusted),
              HasSubstr("signed by publisher-1, whom we do not trust; trusted keys: other-1"));
  RealiseOptions how{.caches = {url("cache") + "?trusted-key=" + url_encode(key_.public_key().to_string())}};
  LocalStore store(node());
  EXPECT_EQ(realise(store, {*app_}, how).paths_fetched, 3u);
  how.caches = {url("cache") + "?colour=red"};
  EXPECT_THROW(realise(store, {StorePath::parse("/nix/store/" + std::string(32, '0') + "-x")}, how), Error);
}

}  // namespace
}  // namespace flox::store
