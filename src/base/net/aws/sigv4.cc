#include "base/net/aws/sigv4.h"

#include <fcntl.h>
#include <fmt/chrono.h>

#include <algorithm>
#include <map>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/letter_case.h"
#include "base/os/fd.h"

namespace flox::aws {
namespace {

struct UrlParts {
  std::string host;   // with the port, as libcurl's Host header has it
  std::string path;   // "/" at least
  std::string query;  // without "?"
};

UrlParts split_url(std::string_view url) {
  size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos)
    fail(ErrorKind::invalid_input, "signing a request: '{}' is not an absolute URL", printable_url(url));
  bool secure = url.substr(0, scheme_end) == "https";
  std::string_view rest = url.substr(scheme_end + 3);
  size_t authority_end = rest.find_first_of("/?");
  UrlParts parts{.host = std::string(rest.substr(0, authority_end)), .path = "/", .query = ""};
  // libcurl leaves the scheme's own port out of the Host header.
  std::string_view default_port = secure ? ":443" : ":80";
  if (parts.host.ends_with(default_port)) parts.host.resize(parts.host.size() - default_port.size());
  if (authority_end == std::string_view::npos) return parts;
  rest.remove_prefix(authority_end);
  size_t question = rest.find('?');
  if (question != 0) parts.path = rest.substr(0, question);
  if (question != std::string_view::npos) parts.query = rest.substr(question + 1);
  return parts;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    std::string value = equals == std::string_view::npos ? "" : url_decode(pair.substr(equals + 1));
    pairs.emplace_back(url_encode(url_decode(pair.substr(0, equals))), url_encode(value));
  }
  std::ranges::sort(pairs);
  std::string result;
  for (const auto& [name, value] : pairs) result += (result.empty() ? "" : "&") + name + "=" + value;
  return result;
}

// Outer blanks go, inner runs of blanks become one.
std::string canonical_value(std::string_view value) {
  std::string result;
  for (char c : value) {
    if ((c == ' ' || c == '\t') && (result.empty() || result.back() == ' ')) continue;
    result += c == '\t' ? ' ' : c;
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

// The signed headers by lower-case name; equal names are joined by commas.
std::map<std::string, std::string> canonical_headers(const HttpRequest& request) {
  std::map<std::string, std::string> headers{{"host", split_url(request.url).host}};
  for (const auto& [name, value] : request.headers) {
    const std::string key = lower_case(name);
    if (key == "authorization" || key == "host") continue;
    auto [found, is_new] = headers.emplace(key, canonical_value(value));
    if (!is_new) found->second += "," + canonical_value(value);
  }
  return headers;
}

std::string signed_names(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string hex(const Sha256Digest& digest) { return to_hex(bytes_of(digest)); }

Sha256Digest hash_of_body(const HttpRequest& request) {
  if (!request.upload_file) return sha256(request.body);
  const Fd file = open_file(*request.upload_file, O_RDONLY);
  Sha256 hash;
  std::string buffer(256 * 1024, '\0');
  while (const size_t size = read_some(file.get(), buffer.data(), buffer.size()))
    hash.update({buffer.data(), size});
  return hash.finish();
}

}  // namespace

std::string canonical_request(const HttpRequest& request, const Scope& scope, const std::string& body_hash) {
  UrlParts url = split_url(request.url);
  // Every service but S3 signs the path encoded twice.
  std::string path = scope.service == "s3" ? url.path : url_encode(url.path, true);
  auto headers = canonical_headers(request);
  std::string text = request.method + "\n" + path + "\n" + canonical_query(url.query) + "\n";
  for (const auto& [name, value] : headers) text += name + ":" + value + "\n";
  return text + "\n" + signed_names(headers) + "\n" + body_hash;
}

namespace {

std::string stamp_of(Time when) {
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(when);
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

std::string scope_text(const std::string& stamp, const Scope& scope) {
  return stamp.substr(0, 8) + "/" + scope.region + "/" + scope.service + "/aws4_request";
}

std::string signature_of(const std::string& canonical, const std::string& stamp,
                         const Credentials& credentials, const Scope& scope) {
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope_text(stamp, scope) + "\n" + hex(sha256(canonical));
  Sha256Digest key = hmac_sha256("AWS4" + credentials.secret_key.reveal(), stamp.substr(0, 8));
  for (const std::string& part : {scope.region, scope.service, std::string("aws4_request")})
    key = hmac_sha256(bytes_of(key), part);
  return hex(hmac_sha256(bytes_of(key), to_sign));
}

}  // namespace

void sign(HttpRequest& request, const Credentials& credentials, const Scope& scope, Time when,
          std::string body_hash) {
  const std::string stamp = stamp_of(when);
  if (body_hash.empty()) body_hash = hex(hash_of_body(request));
  request.headers.emplace_back("X-Amz-Date", stamp);
  if (scope.service == "s3") request.headers.emplace_back("X-Amz-Content-Sha256", body_hash);
  if (!credentials.session_token.empty())
    request.headers.emplace_back("X-Amz-Security-Token", credentials.session_token.reveal());
  const std::string signature =
      signature_of(canonical_request(request, scope, body_hash), stamp, credentials, scope);
  request.headers.emplace_back(
      "Authorization",
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", credentials.access_key,
                  scope_text(stamp, scope), signed_names(canonical_headers(request)), signature));
}

std::string presign(std::string_view url, const Credentials& credentials, const Scope& scope, Time when,
                    std::chrono::seconds valid) {
  if (url.find_first_of("?#") != std::string_view::npos)
    fail(ErrorKind::invalid_input, "signing a URL: '{}' has a query", printable_url(url));
  const std::string stamp = stamp_of(when);
  std::string query =
      fmt::format("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={}",
                  url_encode(credentials.access_key + "/" + scope_text(stamp, scope)), stamp, valid.count());
  if (!credentials.session_token.empty())
    query += "&X-Amz-Security-Token=" + url_encode(credentials.session_token.reveal());
  query += "&X-Amz-SignedHeaders=host";
  const HttpRequest request{.url = fmt::format("{}?{}", url, query), .max_body = BodyLimit(0)};
  const std::string signature =
      signature_of(canonical_request(request, scope, "UNSIGNED-PAYLOAD"), stamp, credentials, scope);
  return request.url + "&X-Amz-Signature=" + signature;
}

}  // namespace flox::aws
