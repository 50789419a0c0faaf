#include "store/peers/peer_question.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "nix/base32.h"

namespace flox::store {
namespace {

constexpr size_t nar_hash_length = nix::base32_length(sizeof(Sha256Digest));
constexpr size_t name_length = nix::digest_length + 1 + nar_hash_length;
constexpr size_t number_length = 16;

bool is_nar_hash(std::string_view text) noexcept {
  try {
    return nix::from_base32(text, sizeof(Sha256Digest)).size() == sizeof(Sha256Digest);
  } catch (const Error&) {
    return false;
  }
}

uint64_t number_in(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorKind::invalid_input, "the answer's first line has something else than two numbers");
  return number;
}

}  // namespace

std::string peer_name(const nix::PathInfo& info) {
  return fmt::format("{}-{}", info.path.digest(), nix::to_base32(bytes_of(info.nar_hash)));
}

bool is_peer_name(std::string_view text) noexcept {
  return text.size() == name_length && nix::is_digest(text.substr(0, nix::digest_length)) &&
         text[nix::digest_length] == '-' && is_nar_hash(text.substr(nix::digest_length + 1));
}

std::string write_peer_question(const std::vector<std::string>& names) {
  if (names.size() > most_asked_of_peer)
    fail(ErrorKind::invalid_input, "a question has at most {} names", most_asked_of_peer);
  std::string text;
  text.reserve(names.size() * (name_length + 1));
  for (const std::string& name : names) text.append(name).push_back('\n');
  return text;
}

std::vector<std::string> read_peer_question(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    if (names.size() == most_asked_of_peer)
      fail(ErrorKind::invalid_input, "the question has more than {} names", most_asked_of_peer);
    const size_t end = text.find('\n');
    if (end == std::string_view::npos || !is_peer_name(text.substr(0, end)))
      fail(ErrorKind::invalid_input, "line {} of the question is not DIGEST-NARHASH", names.size() + 1);
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return names;
}

std::string write_peer_answer(const PeerAnswer& answer) {
  std::string text = fmt::format("{:016x} {:016x}\n", answer.node, answer.progress);
  for (const PeerHas has : answer.has) text.push_back(static_cast<char>(has));
  text.push_back('\n');
  return text;
}

PeerAnswer read_peer_answer(std::string_view text, size_t asked) {
  constexpr size_t first_line = 2 * number_length + 2;
  if (text.size() != first_line + asked + 1 || text[number_length] != ' ' || text[first_line - 1] != '\n' ||
      !text.ends_with('\n'))
    fail(ErrorKind::invalid_input, "it is not the answer to a question of {} names", asked);
  PeerAnswer answer{.node = number_in(text.substr(0, number_length)),
                    .progress = number_in(text.substr(number_length + 1, number_length)),
                    .has = {}};
  for (const char letter : text.substr(first_line, asked)) {
    if (std::string_view("-?pfPFh").find(letter) == std::string_view::npos)
      fail(ErrorKind::invalid_input, "the answer has a letter that means nothing");
    answer.has.push_back(static_cast<PeerHas>(letter));
  }
  return answer;
}

}  // namespace flox::store
