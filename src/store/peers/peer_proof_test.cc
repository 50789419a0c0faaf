#include "store/peers/peer_proof.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::store {
namespace {

using namespace std::string_literals;

using std::chrono::seconds;
using std::chrono::system_clock;

const Secret key(std::string(32, 'k'));
const system_clock::time_point now{seconds(1'700'000'000)};

PeerRequest request() {
  return {.method = "POST", .path = "/peer/has", .to = "10.0.0.1:9810", .body = sha256("a\n")};
}

TEST(PeerProof, holds_for_the_request_that_it_was_made_for) {
  const std::string proof = make_peer_proof(key, request(), now);
  EXPECT_TRUE(is_peer_proof(key, proof, request(), now));
  EXPECT_TRUE(is_peer_proof(key, proof, request(), now + peer_proof_life));
  EXPECT_TRUE(is_peer_proof(key, proof, request(), now - peer_proof_life));
  EXPECT_EQ(body_in_peer_proof(proof), sha256("a\n"));
}

TEST(PeerProof, holds_for_no_other_request_key_or_time) {
  const std::string proof = make_peer_proof(key, request(), now);
  EXPECT_FALSE(is_peer_proof(Secret(std::string(32, 'K')), proof, request(), now));
  const auto holds_for = [&](const std::function<void(PeerRequest&)>& change) {
    PeerRequest other = request();
    change(other);
    return is_peer_proof(key, proof, other, now);
  };
  EXPECT_TRUE(holds_for([](PeerRequest&) {}));
  EXPECT_FALSE(holds_for([](PeerRequest& other) { other.method = "GET"; }));
  EXPECT_FALSE(holds_for([](PeerRequest& other) { other.path = "/peer/hat"; }));
  EXPECT_FALSE(holds_for([](PeerRequest& other) { other.to = "10.0.0.2:9810"; }));
  EXPECT_FALSE(holds_for([](PeerRequest& other) { other.to = "10.0.0.1:9811"; }));
  EXPECT_FALSE(holds_for([](PeerRequest& other) { other.body = sha256("b\n"); }));
  EXPECT_FALSE(is_peer_proof(key, proof, request(), now + peer_proof_life + seconds(1)));
  EXPECT_FALSE(is_peer_proof(key, proof, request(), now - peer_proof_life - seconds(1)));
}

TEST(PeerProof, is_not_what_only_looks_like_one) {
  const std::string proof = make_peer_proof(key, request(), now);
  for (size_t i = 0; i < proof.size(); ++i) {
    std::string changed = proof;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(is_peer_proof(key, changed, request(), now)) << changed;
    EXPECT_FALSE(is_peer_proof(key, std::string_view(proof).substr(0, i), request(), now));
  }
  for (const char* text : {"", "Bearer x", "Flox-Peer", "Flox-Peer 1 2 3"}) {
    EXPECT_FALSE(is_peer_proof(key, text, request(), now)) << text;
    EXPECT_THROW(body_in_peer_proof(text), Error) << text;
  }
  EXPECT_FALSE(is_peer_proof(Secret(), make_peer_proof(Secret(), request(), now), request(), now));
}

TEST(PeerProof, needs_a_key_that_nobody_guesses) {
  const TempDir directory;
  write_file(directory.path() / "short", "secret\n", 0600);
  write_file(directory.path() / "long", std::string(64, 'f') + "\n", 0600);
  write_file(directory.path() / "open", std::string(64, 'f') + "\n", 0644);
  EXPECT_EQ(read_peer_key(directory.path() / "long").reveal(), std::string(64, 'f'));
  EXPECT_THROW(read_peer_key(directory.path() / "short"), Error);
  write_file(directory.path() / "readers", "one " + std::string(32, 'o') + "\n", 0600);
  EXPECT_THROW(read_peer_key(directory.path() / "readers"), Error) << "none is this node's own";
  EXPECT_EQ(read_peer_keys(directory.path() / "readers", false).of_readers.size(), 1U);
  write_file(directory.path() / "comment", "# nothing yet\n", 0600);
  EXPECT_THROW(read_peer_keys(directory.path() / "comment", false), Error);
  EXPECT_THROW(read_peer_key(directory.path() / "open"), Error);
  EXPECT_THROW(read_peer_key(directory.path() / "none"), Error);
}

TEST(PeerKeys, have_a_line_each_with_the_name_of_the_node_whose_own_it_is) {
  const std::string a(32, 'a'), b(40, 'b'), c(32, 'c'), d(32, 'd');
  const PeerKeys keys = parse_peer_keys(a + "\n\none " + c + "\r\n" + b + "\none " + d);
  ASSERT_EQ(keys.of_all.size(), 2U);
  EXPECT_EQ(keys.of_all[0].reveal(), a);
  EXPECT_EQ(keys.of_all[1].reveal(), b);
  ASSERT_EQ(keys.of_readers.size(), 1U);
  EXPECT_EQ(keys.of_readers.at("one")[0].reveal(), c);
  EXPECT_EQ(keys.of_readers.at("one")[1].reveal(), d);
  EXPECT_TRUE(parse_peer_keys("").empty());
  EXPECT_THROW(parse_peer_keys(a + "\none " + std::string(31, 'x')), Error);
  EXPECT_THROW(parse_peer_keys(a + "\nshort"), Error);
  EXPECT_EQ(parse_peer_keys("# of all nodes\n" + a).of_all.size(), 1U);
  for (const std::string& line : {" " + a, "one\t" + a, "one  " + a, "one two " + a, a + "\0"s})
    EXPECT_THROW(parse_peer_keys(line), Error) << line;
}

}  // namespace
}  // namespace flox::store
