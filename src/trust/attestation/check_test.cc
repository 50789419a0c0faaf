#include "trust/attestation/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trust/attestation/envelope.h"

namespace flox::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckTest : public testing::Test {
 protected:
  std::string attested(const nix::PathInfo& info, const nix::SecretKey& key) const {
    const BuildProvenance provenance{.path = info.path, .nar_hash = info.nar_hash, .builder = "urn:x"};
    return sign(std::string(statement_type), provenance.to_string(), key).to_string();
  }

  nix::SecretKey key_ = nix::SecretKey::generate("me-1");
  nix::SecretKey forger_ = nix::SecretKey::generate("me-1");
  PublicKeys keys_ = public_keys({key_.public_key().to_string()});
  nix::PathInfo web_{.path = nix::StorePath::parse("/nix/store/0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r-web"),
                     .nar_hash = sha256("web"),
                     .nar_size = 3};
};

TEST_F(CheckTest, TellsTrustedUnknownAndWrongSignaturesApart) {
  EXPECT_THAT(check_signatures(web_, keys_).signers, IsEmpty());
  const std::string stranger = nix::SecretKey::generate("x").sign(web_.fingerprint());
  web_.signatures = {stranger, key_.sign(web_.fingerprint())};
  SignatureCheck check = check_signatures(web_, keys_);
  EXPECT_THAT(check.signers, ElementsAre("me-1"));
  EXPECT_THAT(check.unknown, ElementsAre("x"));
  EXPECT_THAT(check.problems, IsEmpty());
  web_.signatures = {forger_.sign(web_.fingerprint())};
  EXPECT_THAT(check_signatures(web_, keys_).problems, ElementsAre("the signature by me-1 is wrong"));
  web_.signatures = {key_.sign(web_.fingerprint())};
  ++web_.nar_size;
  EXPECT_THAT(check_signatures(web_, keys_).problems, ElementsAre("the signature by me-1 is wrong"));
}

TEST_F(CheckTest, AContentAddressIsOfItsPath) {
  const auto address = nix::ContentAddress::of_nar(sha256("tool"));
  nix::PathInfo tool{.path = address.path("tool"), .nar_hash = sha256("tool"), .content_address = address};
  EXPECT_TRUE(check_signatures(tool, keys_).is_content_addressed);
  web_.content_address = address;
  const SignatureCheck check = check_signatures(web_, keys_);
  EXPECT_FALSE(check.is_content_addressed);
  ASSERT_EQ(check.problems.size(), 1u);
  EXPECT_THAT(check.problems[0], HasSubstr("of another path"));
}

TEST_F(CheckTest, AnAttestationHoldsForItsPathContentsAndKeyOnly) {
  const AttestationCheck good = check_attestation(attested(web_, key_), web_, keys_);
  EXPECT_EQ(good.problem, "");
  EXPECT_EQ(good.signer, "me-1");
  EXPECT_EQ(good.provenance->builder, "urn:x");
  auto problem = [&](const std::string& envelope) {
    const AttestationCheck check = check_attestation(envelope, web_, keys_);
    EXPECT_EQ(check.signer, "");
    EXPECT_FALSE(check.provenance);
    return check.problem;
  };
  EXPECT_THAT(problem(attested(web_, forger_)), HasSubstr("not one of a trusted key"));
  nix::PathInfo other = web_;
  other.nar_hash = sha256("evil");
  EXPECT_THAT(problem(attested(other, key_)), HasSubstr("other contents"));
  other = web_;
  other.path = nix::StorePath::parse("/nix/store/1a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r-web");
  EXPECT_THAT(problem(attested(other, key_)), HasSubstr("another path"));
  EXPECT_THAT(problem(sign("text/plain", "x", key_).to_string()), HasSubstr("not a statement"));
  EXPECT_THAT(problem("{"), HasSubstr("the attestation"));
}

}  // namespace
}  // namespace flox::trust
