// Proofs in requests at the peers' address, from anybody who reaches it; and files of keys.
#include "store/peers/peer_proof.h"

#include "fuzz.h"

namespace flox::fuzz::of_peer_proof {

void one(std::string_view input) {
  const Secret key(std::string(store::least_peer_key, 'k'));
  const std::chrono::system_clock::time_point now{std::chrono::seconds(1'700'000'000)};
  accepts([&] {
    for (const Secret& one : store::parse_peer_keys(input).of_all)
      require(one.reveal().size() >= store::least_peer_key, "a key is long enough");
  });
  store::PeerRequest request{.method = "GET", .path = "/nar/x.nar", .to = "10.0.0.1:9810"};
  const bool has_body = accepts([&] { request.body = store::body_in_peer_proof(input); });
  if (!store::is_peer_proof(key, input, request, now)) return;
  require(has_body, "a proof names a body");
  request.path = "/nar/y.nar";
  require(!store::is_peer_proof(key, input, request, now), "a proof is of one request");
  request.path = "/nar/x.nar";
  request.to = "10.0.0.2:9810";
  require(!store::is_peer_proof(key, input, request, now), "a proof is for one peer");
}

}  // namespace flox::fuzz::of_peer_proof
