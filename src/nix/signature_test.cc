#include "nix/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nix/narinfo.h"
#include "nix/testing/examples.h"
#include "testing/error_of.h"

namespace flox::nix {
namespace {

using testing::HasSubstr;

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
