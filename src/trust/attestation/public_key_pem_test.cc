#include "trust/attestation/public_key_pem.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"

namespace flox::trust {
namespace {

// RFC 8410, section 10.1.
TEST(PublicKeyPem, IsTheOneOfTheStandardsExample) {
  const nix::PublicKey key{
      .name = "x", .bytes = from_hex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")};
  EXPECT_EQ(to_pem(key),
            "-----BEGIN PUBLIC KEY-----\n"
            "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
            "-----END PUBLIC KEY-----\n");
}

}  // namespace
}  // namespace flox::trust
