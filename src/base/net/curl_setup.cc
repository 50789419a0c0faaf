#include "base/net/curl_setup.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/error.h"
#include "base/letter_case.h"

namespace flox {
namespace {

// The library does not read these by itself.
const char* certificates() {
  for (const char* variable : {"NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    if (const char* file = std::getenv(variable); file != nullptr && *file != '\0') return file;
  return nullptr;
}

// A line break would begin a header of its own. The text may be a secret.
void check_line(std::string_view text) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
    fail(ErrorKind::invalid_input, "an HTTP header (a token?) has a line break in it");
}

}  // namespace

CurlHeaders set_up(CURL* handle, const HttpRequest& request) {
  curl().easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl().easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl().easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl().easy_setopt(handle, CURLOPT_HTTP_CONTENT_DECODING, 0L);  // nobody asked for one
  curl().easy_setopt(handle, CURLOPT_USERAGENT, "flox-imageless/" FLOX_VERSION);
  curl().easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl().easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  curl().easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl().easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
  if (const char* file = certificates()) curl().easy_setopt(handle, CURLOPT_CAINFO, file);
  if (request.login) {
    curl().easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl().easy_setopt(handle, CURLOPT_USERNAME, request.login->user.c_str());
    curl().easy_setopt(handle, CURLOPT_PASSWORD, request.login->password.reveal().c_str());
  }

  if (request.method == "HEAD") {
    curl().easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (!request.upload_file &&
             (!request.body.empty() || request.method == "POST" || request.method == "PUT")) {
    curl().easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl().easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method != "GET" && request.method != "HEAD")
    curl().easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());

  // "Expect: 100-continue" would cost a round trip per upload; "Content-Type" is the caller's to say.
  for (const auto& [name, value] : request.headers) {
    check_line(name);
    check_line(value);
  }
  check_line(request.bearer.reveal());
  curl_slist* headers = curl().slist_append(nullptr, "Expect:");
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    has_type = has_type || name == "Content-Type";
    // libcurl sends a header without value only if it ends in a semicolon.
    headers = curl().slist_append(headers, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  if (!has_type) headers = curl().slist_append(headers, "Content-Type:");
  if (!request.bearer.empty()) {
    headers = curl().slist_append(headers, ("Authorization: Bearer " + request.bearer.reveal()).c_str());
  }
  curl().easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  return {headers, curl().slist_free_all};
}

bool HeadReader::add(HttpResponse& response, std::string_view line) {
  bytes_ += line.size();
  ++lines_;
  if (is_too_large()) return false;
  if (line.starts_with("HTTP/")) response.headers.clear();  // a redirect's headers are not the answer's
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  std::string name = lower_case(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
  response.headers[std::move(name)] = value;
  return true;
}

bool ErrorBody::add(std::string_view piece) {
  received_ += piece.size();
  text_.append(piece.substr(0, most_kept - std::min(text_.size(), most_kept)));
  return !is_cut();
}

}  // namespace flox
