#include "server/identity/page_cookie.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>

#include "base/data/base64url.h"
#include "base/error.h"
#include "base/net/url.h"

namespace flox::server {
namespace {

constexpr std::string_view pending = "login";
constexpr size_t longest_address = 1000;  // bytes
constexpr size_t longest_cookie = 2048;
constexpr size_t random_text = 43;  // bytes of 32 random ones in base64url

bool is_random_text(std::string_view text) {
  return text.size() == random_text && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_';
         });
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool takes_cookie(const ServerRequest& request) {
  for (const char* of_programs : {"/api/", "/cache/", "/healthz", "/readyz", "/metrics"})
    if (request.path.starts_with(of_programs)) return false;
  return request.method == "GET" || request.method == "HEAD" || request.path == "/logout";
}

std::string_view cookie_name_for(std::string_view public_url) noexcept try {
  const HttpUrl url = HttpUrl::parse(std::string(public_url));
  return url.scheme != "https" && network_of_host(url.host) == Network::loopback ? plain_cookie_name
                                                                                 : secure_cookie_name;
} catch (const std::exception&) {  // empty: nobody signs in
  return secure_cookie_name;
}

// RFC 6265, section 5.4: "a=1; b=2".
std::string session_cookie(const ServerRequest& request, std::string_view name) {
  const auto field = request.headers.find("cookie");
  if (field == request.headers.end() || !takes_cookie(request)) return {};
  std::string_view rest = field->second;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const std::string_view pair = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.size() - equals > longest_cookie) continue;
    if (pair.substr(0, equals) == name) return std::string(pair.substr(equals + 1));
  }
  return {};
}

bool is_personal(const ServerRequest& request) {
  return request.headers.contains("authorization") || !session_cookie(request, secure_cookie_name).empty() ||
         !session_cookie(request, plain_cookie_name).empty();
}

std::string local_address(std::string_view text) {
  constexpr std::string_view others = "-._~/?=&%+:@!$'()*,;";
  const bool is_one = text.size() <= longest_address && text.starts_with('/') && !text.starts_with("//") &&
                      std::ranges::all_of(text, [&](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                               others.find(c) != std::string_view::npos;
                      });
  return is_one ? std::string(text) : "/";
}

std::string PendingLogin::to_cookie() const {
  return fmt::format("{}.{}.{}.{}.{}", pending, login.state.reveal(), login.verifier.reveal(), login.nonce,
                     to_base64url(to));
}

std::optional<PendingLogin> PendingLogin::parse(std::string_view cookie) {
  std::array<std::string_view, 5> parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = i + 1 == parts.size() ? cookie.size() : cookie.find('.');
    if (end == std::string_view::npos) return std::nullopt;
    parts[i] = cookie.substr(0, end);
    cookie.remove_prefix(std::min(end + 1, cookie.size()));
  }
  const auto& [kind, state, verifier, nonce, to] = parts;
  if (kind != pending || !is_random_text(state) || !is_random_text(verifier) || !is_random_text(nonce))
    return std::nullopt;
  try {
    return PendingLogin{.login = {.state = Secret(std::string(state)),
                                  .verifier = Secret(std::string(verifier)),
                                  .nonce = std::string(nonce)},
                        .to = local_address(from_base64url(to))};
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace flox::server
