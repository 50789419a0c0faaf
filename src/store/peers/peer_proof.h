// How a floxd shows another one that it is a node of the same cluster (docs/formats/peers.md): with a key
// that no request holds. All nodes have one; a node that reads another one's store may have one of its own.
#pragma once  // Fuzzed by fuzz/peer_proof.cc.

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/secret.h"
#include "base/data/sha256.h"

namespace flox::store {

// A key of fewer bytes could be guessed.
inline constexpr size_t least_peer_key = 32;
// How far apart the clocks of two nodes may be, and how long a request that somebody has heard is good for.
inline constexpr std::chrono::seconds peer_proof_life{300};

// The keys of a key file, which has one a line (docs/formats/peers.md).
struct PeerKeys {
  // "KEY": of all nodes. The first is the one that this node shows; all of them are accepted, so that another
  // one can take its place.
  std::vector<Secret> of_all;
  // "NODE KEY": of the node of that name alone, which reads this node's store.
  std::map<std::string, std::vector<Secret>, std::less<>> of_readers;

  bool empty() const noexcept { return of_all.empty() && of_readers.empty(); }
};
// Throws Error(invalid_input) for a line that is something else, or whose key is too short, with its number.
PeerKeys parse_peer_keys(std::string_view text);
// The same of a file. `shows_one`: the node asks others, and needs a key of all nodes for it. Throws Error as
// read_secret_file() does, too, and not_found if the keys that it needs are not there.
PeerKeys read_peer_keys(const std::filesystem::path& file, bool shows_one);
// The one that this node shows. Throws Error(not_found), too, if there is none that all nodes have.
Secret read_peer_key(const std::filesystem::path& file);

// The name that a reader of a shared store gives itself in a request: which key it has is looked up by it.
inline constexpr const char* peer_node_field = "flox-node";

// Who has made a request.
struct PeerProver {
  Secret key;        // with which it has shown it
  std::string node;  // that alone has that key; empty: all nodes have it
};

// What a request says who sends it.
struct PeerRequest {
  std::string_view method, path;
  std::string_view to;  // ADDRESS:PORT that it was sent to: who gets it cannot send it on
  Sha256Digest body{};  // its hash
};

// The value of the field Authorization.
std::string make_peer_proof(const Secret& key, const PeerRequest& request,
                            std::chrono::system_clock::time_point now);
// Whether such a value proves that who has the key made this request, with this very body, within
// peer_proof_life of `now`. Takes as long for a wrong proof as for a right one of its form.
bool is_peer_proof(const Secret& key, std::string_view proof, const PeerRequest& request,
                   std::chrono::system_clock::time_point now);
// The body's hash that the proof names; of no meaning unless the proof holds. Nothing has been compared with
// a body yet when a request's head is all that is there. Throws Error(invalid_input) if it has none.
Sha256Digest body_in_peer_proof(std::string_view proof);

// Shows that whoever gave this answer has the key, and gave it to the request with that proof.
std::string make_answer_proof(const Secret& key, std::string_view request_proof, std::string_view body);
bool is_answer_proof(const Secret& key, std::string_view proof, std::string_view request_proof,
                     std::string_view body);

}  // namespace flox::store
