#include "server/api/attestations.h"

#include <gtest/gtest.h>

#include "base/data/json.h"
#include "server/testing/uploads.h"
#include "trust/attestation/envelope.h"
#include "trust/attestation/provenance.h"

namespace flox::server {
namespace {

using nlohmann::json;

class AttestationsTest : public UploadTest {
 protected:
  static std::string digest(char digit) { return std::string(32, digit); }
  static trust::BuildProvenance provenance(char digit, const std::string& content) {
    return {.path = path(digit), .nar_hash = sha256(content), .package = "web", .builder = "urn:x"};
  }
  static std::string signed_by(const nix::SecretKey& key, const trust::BuildProvenance& statement) {
    return trust::sign(std::string(trust::statement_type), statement.to_string(), key).to_string();
  }
  int put(char digit, const std::string& text) {
    const auto sink = Attestations::begin(digest(digit));
    for (size_t at = 0; at < text.size(); at += 100) sink->write(text.substr(at, 100));
    return attestations_.put(digest(digit), *sink, open_access).status;
  }

  AttestationRecords records_{*database_};
  Attestations attestations_{records_, cache_, keys_};
};

TEST_F(AttestationsTest, who_signed_a_path_can_attest_it_once) {
  upload('0', "web");
  const std::string text = signed_by(key_, provenance('0', "web"));
  EXPECT_EQ(put('0', text), 201);
  EXPECT_EQ(put('0', text), 200);
  trust::BuildProvenance other = provenance('0', "web");
  other.builder = "urn:y";
  EXPECT_EQ(refusal([&] { put('0', signed_by(key_, other)); }), ErrorKind::conflict);
  EXPECT_EQ(attestations_.get(digest('0'), "k", open_access).body, text);
  const json list = parse_json(attestations_.get(digest('0'), "", open_access).body, "answer");
  EXPECT_EQ(list["attestations"][0]["envelope"], text);
}

TEST_F(AttestationsTest, a_stranger_a_forger_and_a_key_that_did_not_sign_the_path_are_refused) {
  upload('0', "web");
  nix::SecretKey forger = nix::SecretKey::generate("k");
  for (const nix::SecretKey* key : {&forger, &other_})
    EXPECT_EQ(refusal([&] { put('0', signed_by(*key, provenance('0', "web"))); }), ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { put('0', signed_by(nix::SecretKey::generate("x"), provenance('0', "web"))); }),
            ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { attestations_.get(digest('0'), "", open_access); }), ErrorKind::not_found);
}

TEST_F(AttestationsTest, of_another_path_or_other_contents_is_refused) {
  upload('0', "web");
  upload('1', "tool");
  EXPECT_EQ(refusal([&] { put('0', signed_by(key_, provenance('1', "tool"))); }), ErrorKind::invalid_input);
  EXPECT_EQ(refusal([&] { put('0', signed_by(key_, provenance('0', "tool"))); }), ErrorKind::untrusted);
  EXPECT_EQ(refusal([&] { put('2', signed_by(key_, provenance('2', "x"))); }), ErrorKind::not_found);
}

TEST_F(AttestationsTest, every_flipped_byte_is_refused) {
  upload('0', "web");
  const std::string good = signed_by(key_, provenance('0', "web"));
  for (size_t at = 0; at < good.size(); ++at) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_NO_THROW({
      const ErrorKind kind = refusal([&] { put('0', flipped); });
      EXPECT_TRUE(kind == ErrorKind::invalid_input || kind == ErrorKind::untrusted) << at;
    });
  }
}

TEST_F(AttestationsTest, is_bounded_and_needs_a_digest) {
  EXPECT_EQ(refusal([&] { put('0', std::string(trust::max_envelope + 1, ' ')); }), ErrorKind::invalid_input);
  for (const char* bad : {"", "../x", "0000", "zzz"})
    EXPECT_EQ(refusal([&] { Attestations::begin(bad); }), ErrorKind::invalid_input);
}

TEST_F(AttestationsTest, tells_which_paths_have_any) {
  upload('0', "web");
  put('0', signed_by(key_, provenance('0', "web")));
  EXPECT_EQ(attestations_.among({{"digests", {digest('0'), digest('1')}}}, open_access),
            json({{"digests", {digest('0')}}}));
  for (const json& bad :
       {json::object(), json({{"digests", 1}}), json({{"digests", {1}}}), json({{"digests", {"x"}}})})
    EXPECT_EQ(refusal([&] { attestations_.among(bad, open_access); }), ErrorKind::invalid_input);
}

TEST_F(AttestationsTest, of_a_path_that_may_not_be_read_is_not_there) {
  class NoAccess : public CacheAccess {
    std::set<std::string> unreadable(const std::vector<std::string>& names) const override {
      return {names.begin(), names.end()};
    }
    void grant(const std::string&, bool) const override {}
  };
  upload('0', "web");
  put('0', signed_by(key_, provenance('0', "web")));
  EXPECT_EQ(refusal([&] { attestations_.get(digest('0'), "", NoAccess()); }), ErrorKind::not_found);
  EXPECT_EQ(refusal([&] { attestations_.get(digest('0'), "k", NoAccess()); }), ErrorKind::not_found);
  EXPECT_EQ(attestations_.among({{"digests", {digest('0')}}}, NoAccess()),
            json({{"digests", json::array()}}));
  const auto sink = Attestations::begin(digest('0'));
  sink->write(signed_by(key_, provenance('0', "web")));
  EXPECT_EQ(refusal([&] { attestations_.put(digest('0'), *sink, NoAccess()); }), ErrorKind::not_found);
}

}  // namespace
}  // namespace flox::server
