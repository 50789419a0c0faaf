#include "base/net/server/trusted_proxies.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/net/server/http_server.h"
#include "base/printable.h"

namespace flox {
namespace {

constexpr size_t most_hops = 32;
constexpr size_t longest_address = 45;  // characters: INET6_ADDRSTRLEN without its end

[[noreturn]] void cannot_read(std::string_view field) {
  throw StatusError(400, ErrorKind::invalid_input, fmt::format("the header field {} cannot be read", field),
                    "The trusted proxy must replace or extend it as its specification says.");
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The parts between separators that do not stand in quotes. Nothing if a quote has no end.
std::optional<std::vector<std::string_view>> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  bool is_quoted = false;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      is_quoted = !is_quoted;
    } else if (text[i] == separator && !is_quoted) {
      parts.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  if (is_quoted) return std::nullopt;
  parts.push_back(trim(text.substr(begin)));
  return parts;
}

// RFC 7239, section 4: the value of "for" in `for=192.0.2.60;proto=http;by=203.0.113.43`, without quotes;
// "unknown" if there is none.
std::optional<std::string_view> for_of(std::string_view element) {
  const auto pairs = split(element, ';');
  if (!pairs) return std::nullopt;
  for (std::string_view pair : *pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    if (!is_same_in_any_case(pair.substr(0, equals), "for")) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return "unknown";
}

// RFC 7239, section 6: a node without its port. An identifier that somebody made up is not an address.
std::string_view without_port(std::string_view node) {
  if (node.starts_with('[')) {
    const size_t end = node.find(']');
    const std::string_view rest = end == std::string_view::npos ? "?" : node.substr(end + 1);
    return rest.empty() || rest.starts_with(':') ? node.substr(1, end - 1) : std::string_view();
  }
  return std::ranges::count(node, ':') == 1 ? node.substr(0, node.find(':')) : node;
}

}  // namespace

std::optional<TrustedProxies::Bytes> TrustedProxies::parse(std::string_view address) {
  if (address.empty() || address.size() > longest_address) return std::nullopt;
  const std::string text(address);
  Bytes bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return ::inet_pton(AF_INET, text.c_str(), bytes.data() + 12) == 1 ? std::optional(bytes) : std::nullopt;
}

TrustedProxies::TrustedProxies(const std::vector<std::string>& networks) {
  for (const std::string& text : networks) {
    const size_t slash = text.find('/');
    const auto bytes = parse(std::string_view(text).substr(0, slash));
    const unsigned most = text.find(':') == std::string::npos ? 32 : 128;
    unsigned bits = most;
    bool is_good = bytes.has_value();
    if (slash != std::string::npos) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      is_good = is_good && error == std::errc() && stop == end && bits <= most;
    }
    if (!is_good)
      throw Error(ErrorKind::invalid_input,
                  fmt::format("'{}' is neither an address nor a network", printable(text, 60)),
                  "Write 192.0.2.1, 10.0.0.0/8 or fd00::/8.");
    networks_.push_back({.bytes = *bytes, .bits = bits + 128 - most});
  }
}

bool TrustedProxies::contains(const Bytes& address) const {
  return std::ranges::any_of(networks_, [&](const Network& network) {
    const unsigned whole = network.bits / 8;
    const auto mask = static_cast<uint8_t>(0xFF00U >> (network.bits % 8));
    return std::equal(address.begin(), address.begin() + whole, network.bytes.begin()) &&
           (whole == address.size() || ((address[whole] ^ network.bytes[whole]) & mask) == 0);
  });
}

bool TrustedProxies::contains(std::string_view address) const {
  const auto bytes = parse(address);
  return bytes && contains(*bytes);
}

std::string TrustedProxies::client_of(std::string_view peer,
                                      const std::map<std::string, std::string>& fields) const {
  if (!contains(peer)) return std::string(peer);
  const auto forwarded = fields.find("forwarded");
  const auto older = fields.find("x-forwarded-for");
  if (forwarded == fields.end() && older == fields.end()) return std::string(peer);
  if (forwarded != fields.end() && older != fields.end())
    throw StatusError(400, ErrorKind::invalid_input,
                      "the trusted proxy sends both Forwarded and X-Forwarded-For",
                      "Have the proxy remove the field that it does not write itself.");
  const bool is_standard = forwarded != fields.end();
  const auto& [name, text] = is_standard ? *forwarded : *older;
  const auto elements = split(text, ',');
  if (!elements) cannot_read(name);
  std::string client(peer);
  size_t hops = 0;
  for (auto element = elements->rbegin(); element != elements->rend(); ++element) {
    if (++hops > most_hops) cannot_read(name);
    const auto node = is_standard ? for_of(*element) : std::optional(*element);
    if (!node) cannot_read(name);
    if (*node == "unknown" || node->starts_with('_')) return client;
    const auto address = parse(without_port(*node));
    if (!address) cannot_read(name);
    client = without_port(*node);
    if (!contains(*address)) return client;
  }
  return client;
}

}  // namespace flox
