#include "nix/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "nix/narinfo.h"
#include "nix/testing/examples.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Signature, has_the_name_of_its_key_and_64_bytes) {
  const SecretKey key = SecretKey::generate("cache-1");
  const std::string text = key.sign("message");
  EXPECT_EQ(key_name_of(text), "cache-1");
  ASSERT_TRUE(Signature::parse(text));
  EXPECT_EQ(Signature::parse(text)->key_name, "cache-1");
  EXPECT_EQ(Signature::parse(text)->bytes.size(), 64u);
  const std::string base64 = text.substr(text.find(':'));
  for (const std::string& other : {std::string(), std::string("k"), base64, text + "=", "k:" + text,
                                   "k:" + std::string(88, 'A'), "k:" + std::string(86, '?') + "=="})
    EXPECT_FALSE(Signature::parse(other)) << other;
}

TEST(Signature, a_path_has_one_signature_of_a_key_name) {
  const SecretKey key = SecretKey::generate("c");
  NarInfo narinfo = NarInfo::parse(narinfo_text);
  sign(narinfo.info, key);
  EXPECT_THAT(narinfo.info.signatures, ElementsAre("a:b", key.sign(narinfo.info.fingerprint())));
}

TEST(Signature, an_index_is_trusted_by_its_own_signature_and_for_this_path_only) {
  const SecretKey key = SecretKey::generate("cache-1");
  NarInfo narinfo = NarInfo::parse(narinfo_text);
  const TrustedKeys trusted({key.public_key().to_string()});
  sign(narinfo.info, key);
  sign_index(narinfo, key);
  EXPECT_EQ(trusted.index_signer_of(narinfo), "");  // there is none
  narinfo.index_hash = sha256("index");
  EXPECT_EQ(trusted.index_signer_of(narinfo), "");
  narinfo.index_signatures = narinfo.info.signatures;
  EXPECT_EQ(trusted.index_signer_of(narinfo), "");
  sign_index(narinfo, key);
  EXPECT_EQ(trusted.index_signer_of(narinfo), "cache-1");
  for (const auto& change : std::vector<std::function<void(NarInfo&)>>{
           [](NarInfo& other) { other.index_hash = sha256("other"); },
           [](NarInfo& other) { other.info.nar_size += 1; },
           [](NarInfo& other) { other.info.nar_hash = sha256("other"); },
           [](NarInfo& other) {
             other.info.path = StorePath::from_base_name("i9pmrzmpshapij2kin22pff6fc2adavx-x");
           }}) {
    NarInfo other = narinfo;
    change(other);
    EXPECT_EQ(trusted.index_signer_of(other), "");
  }
}

TEST(Signature, a_signed_path_info_is_trusted_under_its_keys_name_only) {
  const SecretKey key = SecretKey::generate("cache-1");
  NarInfo info = NarInfo::parse(narinfo_text);
  info.info.signatures.push_back(key.sign(info.info.fingerprint()));
  TrustedKeys trusted({SecretKey::generate("other").public_key().to_string(), key.public_key().to_string()});
  EXPECT_EQ(trusted.signer_of(info.info), "cache-1");

  EXPECT_EQ(TrustedKeys({SecretKey::generate("cache-1").public_key().to_string()}).signer_of(info.info), "");
  PublicKey renamed = key.public_key();
  renamed.name = "cache-2";
  EXPECT_EQ(TrustedKeys({renamed.to_string()}).signer_of(info.info), "");
  info.info.nar_size += 1;
  EXPECT_EQ(trusted.signer_of(info.info), "");
}

TEST(Signature, keys_survive_their_text_form_and_errors_do_not_show_secrets) {
  const SecretKey key = SecretKey::generate("cache-1");
  EXPECT_EQ(SecretKey::parse(key.to_secret_text().reveal() + "\n").bytes.reveal(), key.bytes.reveal());
  EXPECT_EQ(PublicKey::parse(key.public_key().to_string()).bytes, key.public_key().bytes);
  const std::string cut = key.to_secret_text().reveal().substr(0, 40);
  const std::string message = error_of([&] { SecretKey::parse(cut); });
  EXPECT_THAT(message, testing::Not(HasSubstr(cut.substr(10))));
  EXPECT_THAT(error_of([] { PublicKey::parse("no-colon"); }), HasSubstr("NAME:BASE64"));
  EXPECT_THAT(error_of([&] { PublicKey::parse(key.to_secret_text().reveal()); }),
              HasSubstr("64 bytes instead of 32"));
  EXPECT_THAT(error_of([] { SecretKey::generate("a:b"); }), HasSubstr("cannot name a key"));
}

}  // namespace
}  // namespace flox::nix
