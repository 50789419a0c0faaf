#include "trust/keys.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "testing/error_of.h"
#include "testing/repeated.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::add_role;
using testing::key;

Key parse(const std::string& text) { return Key::from_json(parse_json(text, "key")); }

TEST(Key, HasTheIdThatSecuresystemslibComputes) {
  // securesystemslib 1.6: SSlibKey.from_crypto() of the public key of RFC 8032, section 7.1, test 1.
  const Key known{.name = "x",
                  .bytes = from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")};
  EXPECT_EQ(known.id(), "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916");
}

TEST(Key, IsReadAsItIsWritten) {
  const Key own = Key::of(key("alice-1").public_key());
  EXPECT_EQ(Key::from_json(own.to_json()), own);
  const Key nameless = Key::of({.name = "no label:", .bytes = own.bytes});
  EXPECT_EQ(nameless.name, "");
  EXPECT_EQ(nameless.id(), own.id());
  EXPECT_EQ(Key::from_json(nameless.to_json()), nameless);
}

TEST(Key, OfAnotherKindIsRefused) {
  const std::string hex = repeated("0a", 32);
  EXPECT_NO_THROW(parse(R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"public":")" + hex + "\"}}"));
  EXPECT_EQ(
      error_of([&] { parse(R"({"keytype":"rsa","scheme":"ed25519","keyval":{"public":")" + hex + "\"}}"); }),
      "member 'keytype' is 'rsa' instead of 'ed25519'");
  EXPECT_EQ(error_of([&] { parse(R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"0a"}})"); }),
            "member 'public' is not 64 lower-case hexadecimal digits");
  EXPECT_EQ(error_of([&] {
              parse(R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"public":")" + hex +
                    R"(","private":""}})");
            }),
            "member 'private' is not known");
  EXPECT_EQ(error_of([&] { parse("[]"); }), "it is not a JSON object");
}

TEST(Signers, CountEachKeyOnceAndOnlyIfItSignedThis) {
  const nix::SecretKey a = key("a-1"), b = key("b-1"), stranger = key("a-1");
  Keys keys;
  const Role role = add_role(keys, {a, b}, 2);
  const auto sign = [&](const nix::SecretKey& by, const nix::SecretKey& as) {
    const Key own = Key::of(by.public_key());
    auto signature = *Signer::of(by)->sign("message", {{own.id(), own}});
    signature.keyid = Key::of(as.public_key()).id();
    return signature;
  };
  EXPECT_EQ(valid_signers("message", {sign(b, b), sign(a, a)}, keys, role), role.keyids);
  EXPECT_EQ(valid_signers("message", {sign(a, a), sign(a, a)}, keys, role).size(), 1);
  EXPECT_EQ(valid_signers("message", {sign(a, b)}, keys, role).size(), 0) << "another's signature";
  EXPECT_EQ(valid_signers("other", {sign(a, a)}, keys, role).size(), 0);
  EXPECT_EQ(valid_signers("message", {sign(stranger, stranger)}, keys, role).size(), 0);
  Role twice = role;
  twice.keyids = {role.keyids[0], role.keyids[0]};
  EXPECT_EQ(valid_signers("message", {sign(a, a)}, keys, twice).size(), 1);
  EXPECT_EQ(require_signers("message", {sign(a, a), sign(b, b)}, keys, role, "root", "root.json").size(), 2);
}

TEST(Signers, ThatAreTooFewAreNamedWithThoseWhoLack) {
  const nix::SecretKey a = key("a-1"), b = key("b-1");
  Keys keys;
  const Role role = add_role(keys, {a, b}, 2);
  const Key own = Key::of(a.public_key());
  const std::string message = error_of(
      [&] { require_signers("m", {*Signer::of(a)->sign("m", keys)}, keys, role, "root", "root.json"); },
      ErrorKind::untrusted);
  EXPECT_EQ(message,
            fmt::format("root.json: 1 of the 2 signatures that role root needs, by {}; it lacks one of {}",
                        describe_key(role.keyids[0], keys), describe_key(role.keyids[1], keys)));
  EXPECT_EQ(describe_key(role.keyids[0], keys), "a-1 (" + own.id().substr(0, 8) + ")");
}

}  // namespace
}  // namespace flox::trust
