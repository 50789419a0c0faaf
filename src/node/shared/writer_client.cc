#include "node/shared/writer_client.h"

#include "base/data/random.h"
#include "base/error.h"
#include "base/net/http_client.h"
#include "node/shared/messages.h"
#include "store/peers/peer_places.h"
#include "store/peers/peer_proof.h"

namespace flox::node {
namespace {

constexpr size_t nonce_size = 16;  // bytes
constexpr auto connecting = std::chrono::seconds(3);

// By the status: what a server says of itself stands in no answer that is believed.
void require_ok(const HttpResponse& response, const std::string& address) {
  if (response.ok()) return;
  if (response.status == 403)
    throw Error(
        ErrorKind::untrusted, fmt::format("{} refuses this node", address),
        "Write the key that the writer has for this node to its peers.key, and compare the clocks of both.");
  if (response.status == 404)
    throw Error(ErrorKind::unavailable, fmt::format("{} serves no readers", address),
                "Set store_readers = true in the writer's /etc/flox/config.toml, and restart its floxd.");
  fail(ErrorKind::unavailable, "{} answers {}", address, response.status);
}

}  // namespace

std::string WriterClient::send(std::string_view path, const std::string& body) const {
  const auto addresses = store::addresses_of_peers({options_.writer}, options_.resolver);
  if (addresses.empty()) fail(ErrorKind::unavailable, "its address cannot be found");
  const Secret key = options_.key();
  std::optional<Error> failure;
  for (const std::string& address : addresses) try {
      const std::string proof =
          store::make_peer_proof(key, {.method = "POST", .path = path, .to = address, .body = sha256(body)},
                                 std::chrono::system_clock::now());
      const HttpResponse response = HttpClient().send({.method = "POST",
                                                       .url = "http://" + address + std::string(path),
                                                       .headers = {{"Content-Type", "application/protobuf"},
                                                                   {"Authorization", proof},
                                                                   {store::peer_node_field, options_.node}},
                                                       .body = body,
                                                       .timeout = options_.timeout,
                                                       .connect_timeout = connecting,
                                                       .is_direct = true,
                                                       .max_body = BodyLimit(largest_shared_answer)});
      require_ok(response, address);
      const auto shown = response.headers.find(shared_proof_field);
      if (shown == response.headers.end() ||
          !store::is_answer_proof(key, shown->second, proof, response.body))
        fail(ErrorKind::untrusted, "{} does not show that it has this node's key", address);
      return response.body;
    } catch (const Error& error) {
      if (!failure) failure = error;
    }
  throw Error(*failure);
}

template <typename Answer, typename Request>
Answer WriterClient::exchange(std::string_view path, Request request) const {
  Answer answer;
  in_context(fmt::format("asking {}, which writes the shared store", options_.writer), [&] {
    auto& reader = *request.mutable_reader();
    reader.set_node(options_.node);
    reader.set_instance(options_.instance);
    reader.set_nonce(random_bytes(nonce_size));
    if (!answer.ParseFromString(send(path, request.SerializeAsString())))
      fail(ErrorKind::invalid_input, "its answer cannot be read");
  });
  if (answer.has_failure()) throw WriterRefusal(failure_of(answer.failure()));
  return answer;
}

shared::v1::HelloAnswer WriterClient::ask(shared::v1::HelloRequest request) const {
  return exchange<shared::v1::HelloAnswer>(shared_hello, std::move(request));
}
shared::v1::RealiseAnswer WriterClient::ask(shared::v1::RealiseRequest request) const {
  return exchange<shared::v1::RealiseAnswer>(shared_realise, std::move(request));
}
shared::v1::LeasesAnswer WriterClient::ask(shared::v1::LeasesRequest request) const {
  return exchange<shared::v1::LeasesAnswer>(shared_leases, std::move(request));
}

}  // namespace flox::node
