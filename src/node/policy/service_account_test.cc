#include "node/policy/service_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/os/file.h"
#include "testing/error_of.h"

namespace flox::policy {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr int64_t now = 1'800'000'000;
const PodIdentity web_pod{"shop", "web-1", "11111111-2222-3333-4444-555555555555"};

std::string base64url(std::string_view bytes) {
  std::string text = to_base64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (text.ends_with('=')) text.pop_back();
  return text;
}

// What the API server does.
class Issuer {
 public:
  explicit Issuer(const char* algorithm)
      : algorithm_(algorithm), key_(algorithm_ == "RS256" ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")) {}
  ~Issuer() { EVP_PKEY_free(key_); }
  Issuer(const Issuer&) = delete;

  std::string public_key() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(out, key_);
    char* bytes = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(out, &bytes));
    std::string text(bytes, size);
    BIO_free(out);
    return text;
  }
  std::string token(const json& claims, std::string algorithm = {}) const {
    const json header = {{"alg", algorithm.empty() ? algorithm_ : algorithm}};
    const std::string text = base64url(header.dump()) + "." + base64url(claims.dump());
    return text + "." + base64url(signature(text));
  }

 private:
  std::string signature(const std::string& text) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_);
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    size_t size = 0;
    EVP_DigestSign(context, nullptr, &size, bytes, text.size());
    std::string result(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(result.data()), &size, bytes, text.size());
    result.resize(size);
    EVP_MD_CTX_free(context);
    if (algorithm_ == "RS256") return result;
    const auto* der = reinterpret_cast<const unsigned char*>(result.data());
    ECDSA_SIG* numbers = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(result.size()));
    std::string both(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(both.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers), out + 32, 32);
    ECDSA_SIG_free(numbers);
    return both;
  }
  std::string algorithm_;
  EVP_PKEY* key_;
};

json claims() {
  return {{"exp", now + 3600},
          {"sub", "system:serviceaccount:shop:checkout"},
          {"kubernetes.io",
           {{"namespace", web_pod.pod_namespace},
            {"pod", {{"name", web_pod.name}, {"uid", web_pod.uid}}},
            {"serviceaccount", {{"name", "checkout"}, {"uid", "x"}}}}}};
}

class ServiceAccountTest : public testing::TestWithParam<const char*> {
 protected:
  ServiceAccountKeys keys(const std::string& pem) {
    write_file(directory_.path() / "sa.pub", pem);
    return ServiceAccountKeys({(directory_.path() / "sa.pub").string()});
  }
  std::string refusal(const ServiceAccountKeys& keys, const std::string& token,
                      const PodIdentity& of = web_pod) {
    try {
      return "knows " + keys.account_in(token, of, now);
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == ErrorKind::untrusted || error.kind() == ErrorKind::invalid_input);
      return error.what();
    }
  }
  TempDir directory_;
};

TEST_P(ServiceAccountTest, IsKnownFromATokenThatAKeyHasSignedForThePod) {
  const Issuer issuer(GetParam()), other(GetParam());
  const ServiceAccountKeys both = keys(other.public_key() + issuer.public_key());
  EXPECT_EQ(both.account_in(issuer.token(claims()), web_pod, now), "checkout");
  EXPECT_EQ(both.account_in(issuer.token(claims()) + "\n", web_pod, now), "checkout");
  EXPECT_THAT(refusal(keys(other.public_key()), issuer.token(claims())),
              HasSubstr("none of service_account_keys"));
  EXPECT_THAT(refusal({}, issuer.token(claims())), HasSubstr("none of service_account_keys"));
}

TEST_P(ServiceAccountTest, ATokenOfAnotherPodOrOfNoneOrThatIsOldSaysNothing) {
  const Issuer issuer(GetParam());
  const ServiceAccountKeys known = keys(issuer.public_key());
  EXPECT_THAT(refusal(known, issuer.token(claims()), {"shop", "web-2", web_pod.uid}),
              HasSubstr("another pod's"));
  EXPECT_THAT(refusal(known, issuer.token(claims()), {"other", "web-1", web_pod.uid}),
              HasSubstr("another pod's"));
  EXPECT_THAT(refusal(known, issuer.token(claims()), {"shop", "web-1", "0"}), HasSubstr("another pod's"));
  EXPECT_THAT(refusal(known, issuer.token(claims()), {"shop", "web-1", ""}), HasSubstr("another pod's"));
  json old = claims();
  old["exp"] = now;
  EXPECT_THAT(refusal(known, issuer.token(old)), HasSubstr("expired"));
  json unbound = claims();
  unbound["kubernetes.io"].erase("pod");
  EXPECT_THAT(refusal(known, issuer.token(unbound)), HasSubstr("bound to no pod"));
}

TEST_P(ServiceAccountTest, WhatIsChangedOrUnsignedIsRefusedAndNotRepeated) {
  const Issuer issuer(GetParam());
  const ServiceAccountKeys known = keys(issuer.public_key());
  const std::string token = issuer.token(claims());
  json admin = claims();
  admin["kubernetes.io"]["serviceaccount"]["name"] = "admin";
  const std::string forged =
      token.substr(0, token.find('.')) + "." + base64url(admin.dump()) + token.substr(token.rfind('.'));
  EXPECT_THAT(refusal(known, forged), HasSubstr("none of service_account_keys"));
  EXPECT_THAT(refusal(known, issuer.token(claims(), "none")), HasSubstr("none of service_account_keys"));
  EXPECT_THAT(refusal(known, issuer.token(claims(), "HS256")), HasSubstr("none of service_account_keys"));
  for (const std::string text : {"", ".", "..", "...", "a.b.c", "e30.e30.", "%.%.%", "root:x:0:0"}) {
    const std::string said = refusal(known, text);
    EXPECT_THAT(said, testing::Not(HasSubstr("knows"))) << text;
    if (text.size() > 4) {
      EXPECT_THAT(said, testing::Not(HasSubstr(text)));
    }
  }
  EXPECT_THAT(refusal(known, std::string(20'000, 'a')), HasSubstr("more than"));
}

INSTANTIATE_TEST_SUITE_P(OfBothAlgorithms, ServiceAccountTest, testing::Values("RS256", "ES256"));

TEST(ServiceAccountKeysTest, AFileWithoutAKeyIsRefusedWithItsName) {
  const TempDir directory;
  const std::string file = (directory.path() / "sa.pub").string();
  EXPECT_THAT(error_of([&] { ServiceAccountKeys keys({file}); }, ErrorKind::not_found), HasSubstr(file));
  write_file(file, "no key\n");
  EXPECT_THAT(error_of([&] { ServiceAccountKeys keys({file}); }), HasSubstr("no public key"));
  EXPECT_TRUE(ServiceAccountKeys(std::vector<std::string>{}).empty());
}

}  // namespace
}  // namespace flox::policy
