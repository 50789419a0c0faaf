#include "trust/signer.h"

#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "base/os/file.h"
#include "testing/error_of.h"
#include "testing/repeated.h"
#include "trust/testing/owner.h"

namespace flox::trust {
namespace {

using testing::key;

Keys keys_of(const std::vector<nix::SecretKey>& members) {
  Keys keys;
  testing::add_role(keys, members);
  return keys;
}

TEST(Signer, SignsWithTheKeyInAFileThatOnlyItsOwnerMayRead) {
  const TempDir dir;
  const nix::SecretKey own = key("a-1");
  const std::string file = dir.path() / "a-1";
  write_file(file, own.to_secret_text().reveal() + "\n", 0600);
  const auto signer = Signer::open(file);
  const Keys keys = keys_of({key("b-1"), own});
  const auto signature = signer->sign("message", keys);
  ASSERT_TRUE(signature);
  EXPECT_EQ(signature->keyid, Key::of(own.public_key()).id());
  EXPECT_TRUE(nix::verifies(own.public_key(), "message", signature->bytes));
  EXPECT_EQ(signer->sign("message", keys_of({key("b-1")})), std::nullopt);
  fs::permissions(file, fs::perms(0644));
  EXPECT_NE(
      error_of([&] { Signer::open(file); }, ErrorKind::untrusted).find("others than its owner may use it"),
      std::string::npos);
}

TEST(Signer, AsksACommandAndFindsOutWhoseTheSignatureIs) {
  const TempDir dir;
  const nix::SecretKey own = key("hsm-1");
  const Key known = Key::of(own.public_key());
  const auto signature = Signer::of(own)->sign("message\n", {{known.id(), known}});
  const std::string answer = dir.path() / "answer", asked = dir.path() / "asked";
  write_file(answer, to_hex(signature->bytes) + "\n");
  const auto signer = Signer::open(fmt::format("exec:cat > {}; cat {}", asked, answer));
  EXPECT_EQ(signer->sign("message\n", keys_of({key("b-1"), own})), signature);
  EXPECT_EQ(read_file(asked), "message\n") << "it gets the bytes themselves";
  EXPECT_EQ(signer->sign("message\n", keys_of({key("b-1")})), std::nullopt);
  EXPECT_EQ(signer->sign("another message", keys_of({own})), std::nullopt)
      << "a signature of something else is none";
}

TEST(Signer, SaysWhatACommandDidWrong) {
  const Keys keys = keys_of({key("a-1")});
  EXPECT_EQ(error_of([&] { Signer::open("exec:echo no card >&2; exit 3")->sign("m", keys); },
                     ErrorKind::unavailable),
            "the command 'echo no card >&2; exit 3': it ended with exit code 3: no card");
  EXPECT_EQ(error_of([&] { Signer::open("exec:echo hello")->sign("m", keys); }),
            "the command 'echo hello': it wrote 'hello' instead of a signature of 128 hexadecimal digits");
  EXPECT_NE(error_of([&] { Signer::open("exec:printf '%0128d' 0 | tr 0 x")->sign("m", keys); }), "no error");
  EXPECT_EQ(error_of([&] { Signer::open("exec: "); }), "'exec: ' names no command");
  EXPECT_EQ(error_of([&] {
              Signer::open("exec:head -c 1000000 /dev/zero | tr '\\\\0' x")->sign("m", keys);
            }).substr(0, 12),
            "the command ");
  // One that never reads what it is given.
  EXPECT_NE(error_of([&] { Signer::open("exec:true")->sign(repeated("m", 1 << 20), keys); }), "no error");
}

}  // namespace
}  // namespace flox::trust
