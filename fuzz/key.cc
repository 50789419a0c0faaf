// Keys and signatures. Input: a public key's, a secret key's and a signature's text, one a line. Whatever the
// input, only the one signature of the one key counts.
#include "base/data/bytes.h"
#include "fuzz.h"
#include "nix/signature.h"

namespace flox::fuzz::of_key {
namespace {

nix::SecretKey fixed_key() {
  return nix::SecretKey::parse(
      "cache.example-1:"
      "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==");  // RFC
                                                                                                    // 8032,
                                                                                                    // 7.1
}

}  // namespace

void one(std::string_view input) {
  const std::string_view public_text = take_until(input, '\n');
  const std::string_view secret_text = take_until(input, '\n');
  nix::PublicKey public_key;
  if (accepts([&] { public_key = nix::PublicKey::parse(public_text); }))
    require(nix::PublicKey::parse(public_key.to_string()).bytes == public_key.bytes &&
                public_key.bytes.size() == 32,
            "a public key is written as it was read");
  nix::SecretKey secret;
  if (accepts([&] { secret = nix::SecretKey::parse(secret_text); }))
    require(nix::SecretKey::parse(secret.to_secret_text().reveal()).bytes.reveal() == secret.bytes.reveal() &&
                secret.bytes.reveal().size() == 64,
            "a secret key is written as it was read");

  static const nix::SecretKey signer = fixed_key();
  nix::TrustedKeys trusted;
  trusted.add(signer.public_key());
  nix::PathInfo info{.path = nix::StorePath::parse("/nix/store/0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r-web"),
                     .nar_hash = sha256("web"),
                     .nar_size = 120};
  static const std::string good = signer.sign(info.fingerprint());
  if (const auto signature = nix::Signature::parse(input)) {
    require(signature->key_name == nix::key_name_of(input), "a signature names its key");
    require(signature->key_name + ":" + to_base64(signature->bytes) == input, "a signature has one text");
  }
  info.signatures = {std::string(input)};
  require(trusted.signer_of(info).empty() || std::string(input) == good,
          "only the key's own signature counts");
  info.signatures.push_back(good);
  require(trusted.signer_of(info) == signer.name, "a bad signature beside it does not void a good one");
}

}  // namespace flox::fuzz::of_key
