#include "store/peers/peer_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/data/bytes.h"
#include "base/error.h"

namespace flox::store {
namespace {

constexpr std::string_view scheme = "Flox-Peer ";
constexpr size_t hash_digits = 2 * sizeof(Sha256Digest);

// "Flox-Peer TIME BODY MAC".
struct ProofParts {
  int64_t time = 0;  // Unix seconds
  std::string_view body, mac;
};

bool is_hash(std::string_view text) {
  return text.size() == hash_digits &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<ProofParts> parts_of(std::string_view proof) {
  if (!proof.starts_with(scheme)) return std::nullopt;
  proof.remove_prefix(scheme.size());
  ProofParts parts;
  const auto [end, error] = std::from_chars(proof.data(), proof.data() + proof.size(), parts.time);
  if (error != std::errc()) return std::nullopt;
  proof.remove_prefix(static_cast<size_t>(end - proof.data()));
  if (proof.size() != 2 * (hash_digits + 1) || proof[0] != ' ' || proof[hash_digits + 1] != ' ')
    return std::nullopt;
  parts.body = proof.substr(1, hash_digits);
  parts.mac = proof.substr(hash_digits + 2);
  if (!is_hash(parts.body) || !is_hash(parts.mac)) return std::nullopt;
  return parts;
}

Secret mac_of(const Secret& key, const PeerRequest& request, int64_t time) {
  const std::string text = fmt::format("flox-peer-2\n{}\n{}\n{}\n{}\n{}\n", request.method, request.path,
                                       request.to, time, to_hex(bytes_of(request.body)));
  return Secret(to_hex(bytes_of(hmac_sha256(key.reveal(), text))));
}

Secret answer_mac(const Secret& key, std::string_view request_proof, std::string_view body) {
  const std::string text =
      fmt::format("flox-peer-answer-1\n{}\n{}\n", request_proof, to_hex(bytes_of(sha256(body))));
  return Secret(to_hex(bytes_of(hmac_sha256(key.reveal(), text))));
}

int64_t seconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

PeerKeys parse_peer_keys(std::string_view text) {
  PeerKeys keys;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const size_t space = line.find(' ');
    const std::string_view key = space == std::string_view::npos ? line : line.substr(space + 1);
    if (space == 0 || !std::ranges::all_of(key, [](char c) { return c > ' ' && c < 0x7f; }))
      throw Error(
          ErrorKind::invalid_input, fmt::format("line {} is neither KEY nor NODE KEY", number),
          "Write a key of printable characters without blanks, or a node's name, one blank and a key.");
    if (key.size() < least_peer_key)
      throw Error(ErrorKind::invalid_input,
                  fmt::format("the key in line {} has fewer than {} bytes", number, least_peer_key),
                  "Make each with `openssl rand -hex 32`.");
    if (space == std::string_view::npos)
      keys.of_all.emplace_back(std::string(key));
    else
      keys.of_readers[std::string(line.substr(0, space))].emplace_back(std::string(key));
  }
  return keys;
}

PeerKeys read_peer_keys(const std::filesystem::path& file, bool shows_one) {
  const Secret text = read_secret_file(file);
  PeerKeys keys = in_context(file.string(), [&] { return parse_peer_keys(text.reveal()); });
  if (shows_one && keys.of_all.empty())
    throw Error(ErrorKind::not_found, file.string() + " has no key that this node can show",
                "Write a line with nothing but the key.");
  if (keys.empty()) fail(ErrorKind::not_found, "{} has no key", file.string());
  return keys;
}

Secret read_peer_key(const std::filesystem::path& file) { return read_peer_keys(file, true).of_all.front(); }

std::string make_peer_proof(const Secret& key, const PeerRequest& request,
                            std::chrono::system_clock::time_point now) {
  const int64_t time = seconds_of(now);
  return fmt::format("{}{} {} {}", scheme, time, to_hex(bytes_of(request.body)),
                     mac_of(key, request, time).reveal());
}

bool is_peer_proof(const Secret& key, std::string_view proof, const PeerRequest& request,
                   std::chrono::system_clock::time_point now) {
  const auto parts = parts_of(proof);
  if (!parts || key.reveal().size() < least_peer_key) return false;
  const bool is_made_with_key = mac_of(key, request, parts->time).equals(parts->mac);
  const int64_t seconds = seconds_of(now);
  const bool is_now =
      parts->time >= seconds - peer_proof_life.count() && parts->time <= seconds + peer_proof_life.count();
  return is_made_with_key && is_now && parts->body == to_hex(bytes_of(request.body));
}

Sha256Digest body_in_peer_proof(std::string_view proof) {
  const auto parts = parts_of(proof);
  if (!parts) fail(ErrorKind::invalid_input, "it is no proof of a peer");
  const std::string bytes = from_hex(parts->body);
  Sha256Digest digest{};
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

std::string make_answer_proof(const Secret& key, std::string_view request_proof, std::string_view body) {
  return std::string(answer_mac(key, request_proof, body).reveal());
}

bool is_answer_proof(const Secret& key, std::string_view proof, std::string_view request_proof,
                     std::string_view body) {
  return key.reveal().size() >= least_peer_key && answer_mac(key, request_proof, body).equals(proof);
}

}  // namespace flox::store
