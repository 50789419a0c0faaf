// Base-32, store paths, path infos, narinfo files and signatures, against the worked examples of
// docs/formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/data/bytes.h"
#include "base/error.h"
#include "nix/base32.h"
#include "nix/cache_info.h"
#include "nix/content_address.h"
#include "nix/narinfo.h"
#include "nix/signature.h"

namespace flox::nix {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Sha256Digest digest_from_hex(std::string_view hex) {
  Sha256Digest digest;
  std::ranges::copy(from_hex(hex), digest.begin());
  return digest;
}

// Runs `body`, which must throw, and gives the message.
template <typename Body>
std::string error_of(Body&& body, ErrorKind kind = ErrorKind::invalid_input) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Base32, agrees_with_nix_on_a_known_digest) {
  const std::string text = "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq";
  EXPECT_EQ(to_base32(bytes_of(sha256("hello\n"))), text);
  EXPECT_EQ(from_base32(text, 32), bytes_of(sha256("hello\n")));
  EXPECT_EQ(to_base32(""), "");
}

TEST(Base32, refuses_what_cannot_be_an_encoding) {
  EXPECT_THAT(error_of([] { from_base32("0e", 1); }), HasSubstr("character 'e'"));
  EXPECT_THAT(error_of([] { from_base32("000", 1); }), HasSubstr("3 characters instead of 2"));
  EXPECT_THAT(error_of([] { from_base32("zz", 1); }), HasSubstr("too many bits"));
  EXPECT_EQ(from_base32("7z", 1), "\xff");
}

TEST(StorePath, has_a_digest_and_a_name) {
  const StorePath path = StorePath::parse("/nix/store/i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");
  EXPECT_EQ(path.digest(), "i9pmrzmpshapij2kin22pff6fc2adavx");
  EXPECT_EQ(path.name(), "hello.txt");
  EXPECT_EQ(StorePath::containing(path.to_string() + "/bin/web"), path);
  EXPECT_EQ(StorePath::containing(path.to_string()), path);
}

TEST(StorePath, refuses_malformed_names_and_says_why) {
  const std::string digest = "i9pmrzmpshapij2kin22pff6fc2adavx";
  EXPECT_EQ(StorePath::from_base_name(digest + "-" + std::string(211, 'a')).name().size(), 211u);
  EXPECT_NO_THROW(StorePath::from_base_name(digest + "--dash"));
  EXPECT_NO_THROW(StorePath::from_base_name(digest + "-.hidden"));
  struct Case {
    std::string base_name, reason;
  };
  for (const Case& c : std::vector<Case>{{digest + "-" + std::string(212, 'a'), "212 characters"},
                                         {digest + "-", "too short"},
                                         {digest + "-a b", "character ' '"},
                                         {digest + "-a/b", "character '/'"},
                                         {digest + "-a~b", "character '~'"},
                                         {digest + "-.", "starts with '.'"},
                                         {digest + "-..-x", "starts with '..'"},
                                         {digest + "_a", "no '-'"},
                                         {"e" + digest.substr(1) + "-a", "not a digest"}})
    EXPECT_THAT(error_of([&] { StorePath::from_base_name(c.base_name); }), HasSubstr(c.reason));
  EXPECT_THAT(error_of([&] { StorePath::parse("/nix/stores/" + digest + "-a"); }),
              HasSubstr("not directly below"));
  EXPECT_THAT(error_of([&] { StorePath::parse("/nix/store"); }), HasSubstr("not directly below"));
}

TEST(StorePath, content_addressed_paths_are_those_of_nix) {
  auto path = [](std::string_view name, std::string_view hex) {
    return ContentAddress::of_nar(digest_from_hex(hex)).path(name).base_name();
  };
  const std::string tree = "b3bd4d52fdde1fcf15d7ad56b6980d9e01dfa89462bea30d98dd6162a5e85518";
  EXPECT_EQ(path("tree", tree), "ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree");
  EXPECT_EQ(path("foo", tree), "0fp3zp4kshpx9nhv5c1vnibdpdp7ah86-foo");
  const auto hello =
      ContentAddress::of_nar(parse_hash("sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw"));
  EXPECT_EQ(hello.path("hello.txt").base_name(), "i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");
  EXPECT_THAT(error_of([&] { hello.path(".x"); }), HasSubstr("starts with a dot"));
}

TEST(StorePath, a_digest_is_32_characters_of_base_32) {
  EXPECT_TRUE(is_digest("i9pmrzmpshapij2kin22pff6fc2adavx"));
  for (const char* text : {"", "i9pmrzmpshapij2kin22pff6fc2adav", "i9pmrzmpshapij2kin22pff6fc2adavx0",
                           "e9pmrzmpshapij2kin22pff6fc2adavx"})
    EXPECT_FALSE(is_digest(text)) << text;
}

Hash hash_of(HashAlgorithm algorithm, std::string_view data) {
  Hasher hasher(algorithm);
  hasher.update(data);
  return hasher.finish();
}

TEST(Hash, has_the_text_forms_of_nix_in_every_algorithm) {
  const Hash sha256 = hash_of(HashAlgorithm::sha256, "hello\n");
  EXPECT_EQ(sha256.to_text(), "sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq");
  EXPECT_EQ(sha256.to_hex(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(Hash::parse("sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM="), sha256);
  for (const HashAlgorithm algorithm :
       {HashAlgorithm::md5, HashAlgorithm::sha1, HashAlgorithm::sha256, HashAlgorithm::sha512}) {
    const Hash hash = hash_of(algorithm, "hello\n");
    const std::string name(to_string(algorithm));
    EXPECT_EQ(find_hash_algorithm(name), algorithm);
    EXPECT_EQ(Hash::parse(hash.to_text()), hash);
    EXPECT_EQ(Hash::parse(name + "-" + to_base64(hash.bytes)), hash);
    EXPECT_EQ(Hash::parse(name + ":" + hash.to_hex()), hash);
  }
  EXPECT_THAT(error_of([] { Hash::parse("sha3:abc"); }), HasSubstr("not a hash algorithm"));
  EXPECT_THAT(error_of([] { Hash::parse("abc"); }), HasSubstr("name of an algorithm"));
  EXPECT_THAT(error_of([] { Hash::parse("md5-abc"); }), HasSubstr("wrong length"));
}

// The worked examples of docs/formats/store-path.md: what `nix-store --add-fixed` and builtins.toFile print.
TEST(ContentAddress, gives_the_paths_that_nix_gives) {
  using enum HashAlgorithm;
  auto flat = [](HashAlgorithm algorithm) {
    return ContentAddress{ContentMethod::flat, hash_of(algorithm, "hello\n")}.path("hello.txt").base_name();
  };
  EXPECT_EQ(flat(sha256), "gy454w1cxaq731grqwylhzf4pp9r5izh-hello.txt");
  EXPECT_EQ(flat(sha1), "svdva85yi507g9vncgsaxvnd1r808h4w-hello.txt");
  EXPECT_EQ(flat(md5), "dra1cz5vbrhclpv4y1q0psnbkxz581bk-hello.txt");
  EXPECT_EQ(flat(sha512), "9a8mxachqmcv8x2cfijdps9dyxgyyrzm-hello.txt");
  const ContentAddress nar =
      ContentAddress::parse("fixed:r:sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw").value();
  EXPECT_EQ(nar.path("hello.txt").base_name(), "i9pmrzmpshapij2kin22pff6fc2adavx-hello.txt");

  const ContentAddress text{ContentMethod::text, hash_of(sha256, "hello\n")};
  EXPECT_EQ(text.path("hello.txt").base_name(), "qa1w9gdfrba6jl2r57mb3c43863gqywp-hello.txt");
  const StorePath a = ContentAddress{ContentMethod::text, hash_of(sha256, "x")}.path("a");
  EXPECT_EQ(a.base_name(), "12wigjpizrn8axaqxj288q1b751qmwya-a");
  const ContentAddress b{ContentMethod::text, hash_of(sha256, "see " + a.to_string() + "\n")};
  EXPECT_EQ(b.path("b", {a}).base_name(), "mx0z4jmq297zgriyic65mbp6x2k41gn4-b");
}

TEST(ContentAddress, survives_its_text_form_and_names_its_path) {
  for (const char* text : {"text:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq",
                           "fixed:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq",
                           "fixed:r:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq"})
    EXPECT_EQ(ContentAddress::parse(text).value().to_string(), text);
  const StorePath a = StorePath::from_base_name("12wigjpizrn8axaqxj288q1b751qmwya-a");
  const ContentAddress nar =
      ContentAddress::parse("fixed:r:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq").value();
  const StorePath self = nar.path("self", {a}, true);
  EXPECT_TRUE(names(nar, self, {a, self}));
  EXPECT_FALSE(names(nar, self, {a}));
  EXPECT_FALSE(names(nar, a, {}));
  const ContentAddress flat =
      ContentAddress::parse("fixed:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq").value();
  EXPECT_FALSE(names(flat, flat.path("x"), {a}));
  EXPECT_THAT(error_of([&] { flat.path("x", {a}); }), HasSubstr("cannot have references"));
}

TEST(ContentAddress, of_a_form_that_others_have_is_told_from_what_is_no_address) {
  for (const char* text : {"fixed:git:sha1:aa", "fixed:r:blake3:x", "fixed:blake3:x", "nar:x"})
    EXPECT_EQ(ContentAddress::parse(text), std::nullopt) << text;
  for (const char* text : {"", "x", "text:x", "fixed:", "fixed:r:", "fixed:sha256:x", "fixed:r:sha256:x",
                           "text:sha1:kkzxjhxrrm1dvk23vz7yra1gvpqj0cng"})
    EXPECT_THAT(error_of([&] { ContentAddress::parse(text); }), HasSubstr("content address")) << text;
}

TEST(CacheInfo, is_read_and_written_as_nix_does) {
  const CacheInfo info = CacheInfo::parse("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 41\nX: y\n");
  EXPECT_EQ(info.priority, 41);
  EXPECT_TRUE(info.want_mass_query);
  EXPECT_EQ(CacheInfo::parse(info.to_string()).to_string(), info.to_string());
  EXPECT_EQ(CacheInfo::parse("StoreDir: /nix/store\n").priority, 0);
  EXPECT_THAT(error_of([] { CacheInfo::parse("Priority: high\n"); }), HasSubstr("not a number"));
  EXPECT_FALSE(CacheInfo::parse("StoreDir: /nix/store\n").want_mass_query);
  EXPECT_FALSE(CacheInfo::parse("WantMassQuery: yes\n").want_mass_query);
  for (const char* text : {"Priority: 30x\n", "Priority:30", "Priority: \t+30 \r\n", "nonsense\nPriority: 30",
                           "Priority: 1\nPriority: 30\n"})
    EXPECT_EQ(CacheInfo::parse(text).priority, 30) << text;
  for (const char* text : {"Priority:\n", "Priority: x30", "Priority: 99999999999", "Priority: ++1"})
    EXPECT_THAT(error_of([&] { CacheInfo::parse(text); }), HasSubstr("Priority")) << text;
}

TEST(PathInfo, hashes_are_read_in_every_form_that_nix_writes) {
  const Sha256Digest hash = sha256("hello\n");
  EXPECT_EQ(parse_hash(hash_text(hash)), hash);
  EXPECT_EQ(parse_hash("sha256:" + to_hex(bytes_of(hash))), hash);
  EXPECT_EQ(parse_hash("sha256:" + to_base64(bytes_of(hash))), hash);
  EXPECT_EQ(parse_hash("sha256-" + to_base64(bytes_of(hash))), hash);
  EXPECT_THAT(error_of([] { parse_hash("sha1:" + std::string(40, 'a')); }), HasSubstr("no other algorithm"));
  EXPECT_THAT(error_of([] { parse_hash("sha256:abc"); }), HasSubstr("wrong length"));
}

constexpr std::string_view narinfo_text =
    "StorePath: /nix/store/ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree\n"
    "URL: nar/1.nar.zst\n"
    "Compression: zstd\n"
    "FileHash: sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq\n"
    "FileSize: 77\n"
    "NarHash: sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw\n"
    "NarSize: 1064\n"
    "References: 0fp3zp4kshpx9nhv5c1vnibdpdp7ah86-foo ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree\n"
    "Deriver: 12wigjpizrn8axaqxj288q1b751qmwya-a.drv\n"
    "Sig: a:b\n"
    "Sig: c:d\n"
    "CA: fixed:r:sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw\n";

TEST(NarInfo, text_survives_reading_and_writing) {
  const NarInfo info = NarInfo::parse(narinfo_text);
  EXPECT_EQ(info.info.nar_size, 1064u);
  EXPECT_EQ(info.info.references.size(), 2u);
  EXPECT_THAT(info.info.signatures, ElementsAre("a:b", "c:d"));
  EXPECT_EQ(info.to_string(), narinfo_text);
}

TEST(NarInfo, the_order_of_keys_and_unknown_keys_do_not_matter_and_bzip2_is_the_default) {
  const NarInfo info = NarInfo::parse(
      "References: \nSystem: x86_64-linux\nNarSize: 5\nNarHash: "
      "sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw\n"
      "Deriver: unknown-deriver\nURL: x\nStorePath: /nix/store/ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree\n");
  EXPECT_EQ(info.compression, "bzip2");
  EXPECT_FALSE(info.info.deriver);
  EXPECT_THAT(info.to_string(), HasSubstr("References: \n"));
}

TEST(NarInfo, malformed_files_are_refused_with_the_key_at_fault) {
  const std::string good(narinfo_text);
  auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  struct Case {
    std::string text, reason;
  };
  const std::vector<Case> cases = {
      {"", "StorePath is missing"},
      {good.substr(0, good.size() - 1), "cut off"},
      {with("URL: nar/1.nar.zst\n", ""), "URL is missing"},
      {with("NarHash: ", "Other: "), "NarHash is missing"},
      {with("NarSize: 1064", "NarSize: 0"), "NarSize is missing or 0"},
      {with("NarSize: 1064", "NarSize: -1"), "NarSize"},
      {with("NarSize: 1064", "NarSize: 99999999999999999999999"), "NarSize"},
      {with("NarSize: 1064", "NarSize: 12x"), "NarSize"},
      {with("NarSize: 1064", "NarSize: 1064\nNarSize: 1065"), "NarSize: given twice"},
      {with("NarHash: sha256:04", "NarHash: sha256:0"), "NarHash"},
      {with("NarHash: sha256:04", "NarHash: md5:04"), "NarHash"},
      {with("/nix/store/ng", "/gnu/store/ng"), "StorePath"},
      {with("References: 0fp", "References: ../0fp"), "References"},
      {with("URL: nar", "URL nar"), "no colon"},
      {with("URL: nar", std::string("URL: n\0r", 8)), "control character"},
  };
  for (const Case& c : cases)
    EXPECT_THAT(error_of([&] { NarInfo::parse(c.text); }), HasSubstr(c.reason)) << c.text;
}

TEST(NarInfo, of_another_path_is_refused_and_a_damaged_one_still_names_its_nar) {
  const StorePath tree = StorePath::from_base_name("ngbzp18yw7v0cnd1fv51bpsx3sbn24ys-tree");
  const StorePath foo = StorePath::from_base_name("0fp3zp4kshpx9nhv5c1vnibdpdp7ah86-foo");
  EXPECT_EQ(NarInfo::parse(narinfo_text, tree).info.path, tree);
  EXPECT_THAT(error_of([&] { NarInfo::parse(narinfo_text, foo); }),
              HasSubstr("instead of " + foo.to_string()));
  EXPECT_EQ(NarInfo::url_in(narinfo_text), "nar/1.nar.zst");
  EXPECT_EQ(NarInfo::url_in("junk\nURL: x"), "x");
  EXPECT_EQ(NarInfo::url_in("NOURL: x\n"), "");
}

TEST(NarInfo, a_content_address_that_we_do_not_know_is_left_out_and_a_malformed_one_is_refused) {
  const std::string good(narinfo_text.substr(0, narinfo_text.find("CA: ")));
  EXPECT_FALSE(NarInfo::parse(good + "CA: fixed:git:sha1:aa\n").info.content_address);
  EXPECT_THAT(error_of([&] { NarInfo::parse(good + "CA: fixed:sha256:x\n"); }), HasSubstr("narinfo: CA"));
}

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
