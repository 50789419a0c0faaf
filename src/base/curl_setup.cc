#include "base/curl_setup.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace flox {
namespace {

constexpr long max_redirects = 10;

// $NETRC, else the file that Nix reads, else the user's own; empty if there is none.
std::string netrc_file() {
  if (const char* named = std::getenv("NETRC")) return named;
  const char* home = std::getenv("HOME");
  for (const std::string& file :
       {std::string("/etc/nix/netrc"), home != nullptr ? std::string(home) + "/.netrc" : std::string()})
    if (!file.empty() && ::access(file.c_str(), R_OK) == 0) return file;
  return {};
}

// The library does not read these by itself.
const char* certificates() {
  for (const char* variable : {"NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    if (const char* file = std::getenv(variable); file != nullptr && *file != '\0') return file;
  return nullptr;
}

}  // namespace

CurlHeaders set_up(CURL* handle, const HttpRequest& request) {
  curl().easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl().easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl().easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl().easy_setopt(handle, CURLOPT_MAXREDIRS, max_redirects);
  curl().easy_setopt(handle, CURLOPT_USERAGENT, "flox-imageless/" FLOX_VERSION);
  curl().easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  curl().easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout.count()));
  curl().easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl().easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
  if (const char* file = certificates()) curl().easy_setopt(handle, CURLOPT_CAINFO, file);
  if (const std::string file = netrc_file(); !file.empty()) {
    curl().easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
    curl().easy_setopt(handle, CURLOPT_NETRC_FILE, file.c_str());
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
  curl_slist* headers = curl().slist_append(nullptr, "Expect:");
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    has_type = has_type || name == "Content-Type";
    // libcurl sends a header without value only if it ends in a semicolon.
    headers = curl().slist_append(headers, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  if (!has_type) headers = curl().slist_append(headers, "Content-Type:");
  curl().easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  return {headers, curl().slist_free_all};
}

void add_header(HttpResponse& response, std::string_view line) {
  if (line.starts_with("HTTP/")) response.headers.clear();  // a redirect's headers are not the answer's
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
  response.headers[std::move(name)] = value;
}

}  // namespace flox
