#include "store/peers/peer_server.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/net/server/http_range.h"
#include "nix/cache_layout.h"
#include "nix/nar.h"
#include "store/peers/peer_question.h"

namespace flox::store {
namespace {

constexpr std::string_view proof_field = "authorization";
constexpr int nice_of_peers = 10;
constexpr size_t most_clients = 1024;  // that are remembered with what they were sent
constexpr std::string_view nar_suffix_of_peers = ".nar";

// The node's own work comes first: for the processor and, with the kernel's usual scheduler, for the disk,
// which derives its priority from this one (ioprio_set(2)).
void step_back() {
  thread_local const bool done = [] {
    return ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), nice_of_peers) == 0;
  }();
  static_cast<void>(done);
}

std::string proof_of(const ServerRequest& request) {
  const auto found = request.headers.find(std::string(proof_field));
  return found == request.headers.end() ? std::string() : found->second;
}

}  // namespace

void SendingRate::pass(uint64_t bytes, const std::stop_token& stop) {
  if (rate_ == 0) return;
  using std::chrono::steady_clock;
  const auto cost = std::chrono::duration_cast<steady_clock::duration>(
      std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(rate_)));
  std::unique_lock lock(mutex_);
  const steady_clock::time_point turn = std::max(free_at_, steady_clock::now());
  free_at_ = turn + cost;
  stopped_.wait_until(lock, stop, turn, [] { return false; });
  if (stop.stop_requested()) fail(ErrorKind::unavailable, "this node stops");
}

// A NAR that is being sent.
class PeerServer::Transfer {
 public:
  Transfer(PeerServer& server, std::shared_ptr<Client> client)
      : server_(server), client_(std::move(client)) {}
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    const std::lock_guard lock(server_.mutex_);
    --server_.transfers_;
    --client_->transfers;
  }
  void send(std::string_view piece, const ByteSink& sink) {
    const std::stop_token stop = server_.stop_.get_token();
    client_->sending.pass(piece.size(), stop);
    server_.rate_.pass(piece.size(), stop);
    sink(piece);
    server_.options_.sent(piece.size());
  }

 private:
  PeerServer& server_;
  std::shared_ptr<Client> client_;
};

// Who asks for the NAR has the narinfo from a cache that showed it; who asks for the narinfo may have no
// right to it.
PeerServer::PeerServer(const LocalStore& store, const SharedPaths& shared, const PublicPaths& known,
                       PeerServerOptions options)
    : store_(store),
      shared_(shared),
      options_(std::move(options)),
      keys_(std::make_shared<const PeerKeys>(options_.keys)),
      cache_(store, {.shows =
                         [this, &known](const PathInfo& info) {
                           return known.contains(info) || !options_.public_keys.signer_of(info).empty();
                         }}),
      rate_(options_.rate) {}

void PeerServer::set_keys(PeerKeys keys) {
  const std::lock_guard lock(keys_mutex_);
  keys_ = std::make_shared<const PeerKeys>(std::move(keys));
}

std::shared_ptr<const PeerKeys> PeerServer::keys() const {
  const std::lock_guard lock(keys_mutex_);
  return keys_;
}

PeerProver PeerServer::prover(const ServerRequest& request) const {
  const std::string proof = proof_of(request);
  PeerRequest shown{.method = request.method, .path = request.path, .to = request.local};
  try {
    shown.body = body_in_peer_proof(proof);
  } catch (const Error&) {  // is_peer_proof() refuses it, too
  }
  const std::shared_ptr<const PeerKeys> keys = this->keys();
  const std::vector<Secret>* candidates = &keys->of_all;
  std::string node;
  if (!keys->of_readers.empty() && !options_.readers_prefix.empty() &&
      request.path.starts_with(options_.readers_prefix)) {
    const auto named = request.headers.find(peer_node_field);
    const auto found =
        named == request.headers.end() ? keys->of_readers.end() : keys->of_readers.find(named->second);
    candidates = found == keys->of_readers.end() ? nullptr : &found->second;
    if (candidates != nullptr) node = found->first;
  }
  if (candidates != nullptr)
    for (const Secret& key : *candidates)
      if (is_peer_proof(key, proof, shown, std::chrono::system_clock::now())) return {key, node};
  options_.refused();
  throw StatusError(403, ErrorKind::untrusted, "only nodes that have the peers' key are answered");
}

void PeerServer::require_proved_body(const ServerRequest& request) {
  // Only now is the body here that the head has proved.
  if (body_in_peer_proof(proof_of(request)) != sha256(request.body))
    throw StatusError(403, ErrorKind::untrusted, "the body is not the one that was proved");
}

ServerResponse PeerServer::answer(const ServerRequest& request) {
  require_proved_body(request);
  step_back();
  if (request.path == peer_question_path) {
    count_question(request.peer);
    return has(request);
  }
  std::string_view name = request.path;
  name.remove_prefix(std::min<size_t>(1, name.size()));
  if (name.starts_with(nix::nar_directory) && name.ends_with(nar_suffix_of_peers)) {
    name.remove_prefix(nix::nar_directory.size());
    name.remove_suffix(nar_suffix_of_peers.size());
    return nar(request, std::string(name));
  }
  if (!nix::digest_of_narinfo_name(name)) fail(ErrorKind::not_found, "peers are not given '{}'", name);
  return cache_.answer(request);
}

ServerResponse PeerServer::has(const ServerRequest& request) const {
  PeerAnswer answer{.node = shared_.node(), .progress = shared_.progress(), .has = {}};
  for (const std::string& name : read_peer_question(request.body)) {
    PeerHas has = shared_.state(name);
    // The database is asked about those only that no realisation here knows of.
    if (has == PeerHas::nothing || has == PeerHas::undecided) {
      const auto path = store_.find(std::string_view(name).substr(0, nix::digest_length));
      const auto info = path ? store_.query(*path) : std::nullopt;
      if (info && peer_name(*info) == name) has = PeerHas::present;
    }
    answer.has.push_back(has);
  }
  return {.body = write_peer_answer(answer)};
}

// Under mutex_.
std::shared_ptr<PeerServer::Client> PeerServer::client(const std::string& peer) {
  if (clients_.size() >= most_clients)
    std::erase_if(clients_, [](const auto& entry) { return entry.second->transfers == 0; });
  std::shared_ptr<Client>& client = clients_[peer];
  if (!client) client = std::make_shared<Client>(options_.rate_each);
  return client;
}

// As water through a bucket that empties in a second.
void PeerServer::count_question(const std::string& peer) {
  {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Client> asking = client(peer);
    const auto now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double>(now - asking->asked).count();
    asking->asked = now;
    const auto most = static_cast<double>(options_.questions);
    asking->questions = std::max(0.0, asking->questions - passed * most);
    if (asking->questions + 1 <= most) {
      ++asking->questions;
      return;
    }
  }
  options_.busy();
  throw StatusError(503, ErrorKind::unavailable, "enough is being asked");
}

std::shared_ptr<PeerServer::Transfer> PeerServer::begin(const std::string& peer) {
  {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Client> client = this->client(peer);
    if (transfers_ < options_.transfers && client->transfers < std::max<size_t>(1, options_.transfers / 2)) {
      ++transfers_;
      ++client->transfers;
      return std::make_shared<Transfer>(*this, client);
    }
  }
  options_.busy();
  throw StatusError(503, ErrorKind::unavailable, "enough is being sent to peers");
}

// What is staged is moved into the store at any moment; whoever has begun to read it goes on there.
void PeerServer::send_staged(const std::filesystem::path& tree, const std::string& name,
                             const ByteSink& sink) const {
  bool is_begun = false;
  try {
    nix::write_nar(tree, [&](std::string_view piece) {
      is_begun = true;
      sink(piece);
    });
  } catch (const Error&) {
    const auto path = store_.find(std::string_view(name).substr(0, nix::digest_length));
    if (is_begun || !path) throw;
    nix::write_nar(store_.real_path(*path), sink);
  }
}

ServerResponse PeerServer::nar(const ServerRequest& request, const std::string& name) {
  if (!is_peer_name(name)) fail(ErrorKind::not_found, "'{}' is the name of no NAR", name.substr(0, 200));
  const std::shared_ptr<Transfer> transfer = request.method == "HEAD" ? nullptr : begin(request.peer);
  ServerResponse response;
  if (const auto staged = shared_.staged(name);
      staged && std::filesystem::exists(std::filesystem::symlink_status(staged->tree))) {
    response.content_type = std::string(nix::media_type_of(request.path));
    response.stream_size = staged->nar_size;
    response.stream = [this, name, tree = staged->tree](const ByteSink& sink) {
      send_staged(tree, name, sink);
    };
  } else {
    response = cache_.answer(request);
  }
  if (response.stream)
    response.stream = [transfer, made = std::move(response.stream)](const ByteSink& sink) {
      step_back();
      made([&](std::string_view piece) { transfer ? transfer->send(piece, sink) : sink(piece); });
    };
  return response;
}

}  // namespace flox::store
