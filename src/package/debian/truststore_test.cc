#include "package/debian/truststore.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "base/error.h"

namespace flox::package {
namespace {

// As `keytool -importcert` of OpenJDK writes it, but for the date.
TEST(Truststore, HasTheLayoutThatJavaReads) {
  const std::string store = java_truststore({{"a", "DER"}});
  EXPECT_EQ(to_hex(store.substr(0, store.size() - 20)),
            "feedfeed0000000200000001"
            "00000002"
            "000161"
            "0000004977387000"  // alias, 1980
            "0005582e353039"
            "00000003"
            "444552");
  EXPECT_EQ(store, java_truststore({{"a", "DER"}}));
  EXPECT_NE(store.substr(store.size() - 20), java_truststore({{"b", "DER"}}).substr(store.size() - 20));
}

TEST(Truststore, TakesACertificateOutOfItsText) {
  EXPECT_EQ(certificate_of_pem("x\n-----BEGIN CERTIFICATE-----\nREVS\n-----END CERTIFICATE-----\n"), "DER");
  EXPECT_EQ(certificate_of_pem("no certificate"), std::nullopt);
  EXPECT_THROW(certificate_of_pem("-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----"), Error);
}

}  // namespace
}  // namespace flox::package
