// How a floxd shows another one that it is a node of the same cluster (docs/formats/peers.md): with a key
// that all of them have, and that no request holds.
#pragma once  // Fuzzed by fuzz/peer_proof.cc.

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/data/secret.h"
#include "base/data/sha256.h"

namespace flox::store {

// A key of fewer bytes could be guessed.
inline constexpr size_t least_peer_key = 32;
// How far apart the clocks of two nodes may be, and how long a request that somebody has heard is good for.
inline constexpr std::chrono::seconds peer_proof_life{300};

// Reads the key. Throws Error as read_secret_file() does, and invalid_input for one that is too short.
Secret read_peer_key(const std::filesystem::path& file);

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
