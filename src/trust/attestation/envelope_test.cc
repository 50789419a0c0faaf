#include "trust/attestation/envelope.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "testing/error_of.h"

namespace flox::trust {
namespace {

const nix::SecretKey key = nix::SecretKey::generate("me-1");

PublicKeys trusted(const nix::SecretKey& one) { return public_keys({one.public_key().to_string()}); }

TEST(Envelope, SignsTypeAndPayload) {
  // The example of DSSE's specification.
  EXPECT_EQ(signed_bytes("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  const Envelope envelope = sign("text/x", "hello", key);
  EXPECT_EQ(signer_of(envelope, trusted(key)), "me-1");
  EXPECT_EQ(claimed_signers(envelope), "me-1");
}

TEST(Envelope, IsReadAsItWasWritten) {
  const std::string text = sign("text/x", std::string("a\0b", 3), key).to_string();
  const Envelope again = Envelope::parse(text);
  EXPECT_EQ(again.payload, std::string("a\0b", 3));
  EXPECT_EQ(again.to_string(), text);
  EXPECT_EQ(signer_of(again, trusted(key)), "me-1");
}

TEST(Envelope, OfAnotherKeyTypeOrPayloadHasNoSigner) {
  const Envelope good = sign("text/x", "hello", key);
  EXPECT_EQ(signer_of(good, trusted(nix::SecretKey::generate("me-1"))), "");
  EXPECT_EQ(signer_of(good, PublicKeys()), "");
  Envelope other_type = good;
  other_type.payload_type = "text/y";
  EXPECT_EQ(signer_of(other_type, trusted(key)), "");
  for (size_t bit = 0; bit < good.payload.size() * 8; ++bit) {
    Envelope flipped = good;
    flipped.payload[bit / 8] = static_cast<char>(flipped.payload[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(signer_of(flipped, trusted(key)), "");
  }
  for (size_t bit = 0; bit < good.signatures[0].bytes.size() * 8; ++bit) {
    Envelope flipped = good;
    flipped.signatures[0].bytes[bit / 8] =
        static_cast<char>(flipped.signatures[0].bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(signer_of(flipped, trusted(key)), "");
  }
}

TEST(Envelope, HasAGoodSignatureBesideBadOnes) {
  Envelope envelope = sign("text/x", "hello", key);
  envelope.signatures.insert(envelope.signatures.begin(),
                             {{.key_name = "me-1", .bytes = "no"}, {.key_name = "x", .bytes = "y"}});
  EXPECT_EQ(signer_of(envelope, trusted(key)), "me-1");
}

TEST(Envelope, ThatIsNoneIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"),
        std::string(R"({"payloadType":"x","payload":"","signatures":[]})"),
        std::string(R"({"payloadType":"x","payload":"%","signatures":[{"sig":"AA=="}]})"),
        std::string(R"({"payloadType":"","payload":"","signatures":[{"sig":"AA=="}]})"),
        std::string(R"({"payloadType":"x","payload":"","signatures":[{"sig":""}]})"),
        std::string(R"({"payloadType":"x","payload":"","signatures":["AA=="]})"),
        std::string(R"({"payloadType":"x","payload":"","signatures":[{"sig":"AA==","keyid":"\u001b"}]})"),
        std::string(max_envelope + 1, ' ')})
    EXPECT_NE(error_of([&] { Envelope::parse(text); }), "no error") << text.substr(0, 80);
}

}  // namespace
}  // namespace flox::trust
