#include "base/net/http_redirect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/foreign_error.h"
#include "base/letter_case.h"
#include "base/net/own_listener.h"

namespace flox {
namespace {

std::string variable(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return {};
}

// "10.0.0.0/8" against "10.1.2.3".
bool is_within(const std::string& range, const std::string& host) {
  const size_t slash = range.find('/');
  if (slash == std::string::npos) return false;
  int bits = -1;
  std::from_chars(range.data() + slash + 1, range.data() + range.size(), bits);
  for (const auto& [family, size] : {std::pair{AF_INET, 32}, std::pair{AF_INET6, 128}}) {
    unsigned char prefix[16] = {};
    unsigned char address[16] = {};
    if (::inet_pton(family, range.substr(0, slash).c_str(), prefix) != 1 ||
        ::inet_pton(family, host.c_str(), address) != 1 || bits < 0 || bits > size)
      continue;
    int left = bits;
    for (int i = 0; left > 0; ++i, left -= 8) {
      const int shift = left >= 8 ? 0 : 8 - left;
      if (prefix[i] >> shift != address[i] >> shift) return false;
    }
    return true;
  }
  return false;
}

bool is_exempt(const std::string& host) {
  std::string list = lower_case(variable({"no_proxy", "NO_PROXY"}));
  std::ranges::replace(list, ',', ' ');
  std::string_view rest = list;
  while (!rest.empty()) {
    std::string_view entry = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    if (entry == "*") return true;
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty()) continue;
    if (host == entry || is_within(std::string(entry), host)) return true;
    if (host.size() > entry.size() && host.ends_with(entry) && host[host.size() - entry.size() - 1] == '.')
      return true;
  }
  return false;
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What says which part of a file is wanted is no secret and must go along.
bool may_leave(const std::string& header) {
  const std::string name = lower_case(header);
  return name == "range" || name == "if-range";
}

}  // namespace

std::string proxy_for(const HttpUrl& url) {
  if (is_exempt(url.host)) return {};
  // The upper-case HTTP_PROXY is what a CGI program's caller can set (CVE-2016-5385).
  std::string proxy =
      url.scheme == "https" ? variable({"https_proxy", "HTTPS_PROXY"}) : variable({"http_proxy"});
  return proxy.empty() ? variable({"all_proxy", "ALL_PROXY"}) : proxy;
}

Redirects::Redirects(HttpRequest first)
    : now_(std::move(first)),
      first_url_(HttpUrl::parse(now_.url)),
      url_(first_url_),
      proxy_(now_.is_direct ? "" : proxy_for(url_)) {
  if (first_url_.login && !now_.login) now_.login = first_url_.login;
  now_.url = split_login(now_.url).first;  // otherwise as written: AWS's signature is of it
}

bool Redirects::admits(Network network) const noexcept {
  if (from_) return may_lead(*from_, network);
  return network != Network::link_local;
}

void Redirects::refuse(Network network) {
  refusal_ =
      Error(ErrorKind::untrusted,
            fmt::format("{}: its address is in a {} network, where {} may not lead",
                        printable_url(url_.to_string()), to_string(network),
                        foreign_ ? "a redirect from " + printable_url(first_url_.origin()) : "a host name"),
            "If that is meant, name that server itself in the configuration.");
}

void Redirects::guard(CURL* handle) {
  refusal_.reset();
  if (must_be_own(url_)) {
    curl().easy_setopt(handle, CURLOPT_PROXY, "");
    curl().easy_setopt(handle, CURLOPT_PREREQFUNCTION, &on_own_connected);
    curl().easy_setopt(handle, CURLOPT_PREREQDATA, this);
    return;
  }
  // Said explicitly, so that curl decides as we do.
  curl().easy_setopt(handle, CURLOPT_PROXY, proxy_.c_str());
  if (!proxy_.empty()) {
    curl().easy_setopt(handle, CURLOPT_NOPROXY, "");
    return;
  }
  if (network_of_host(url_.host) && (!foreign_ || url_.host == first_url_.host)) return;
  curl().easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  curl().easy_setopt(handle, CURLOPT_OPENSOCKETDATA, this);
  // A connection that another exchange opened opens no socket again.
  curl().easy_setopt(handle, CURLOPT_PREREQFUNCTION, &on_connected);
  curl().easy_setopt(handle, CURLOPT_PREREQDATA, this);
}

curl_socket_t Redirects::on_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& self = *static_cast<Redirects*>(user);
  if (const Network network = network_of(address->addr); !self.admits(network)) {
    self.refuse(network);
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int Redirects::on_connected(void* user, char* remote, char*, int, int) {
  auto& self = *static_cast<Redirects*>(user);
  const Network network = network_of_host(remote).value_or(Network::link_local);
  if (self.admits(network)) {
    self.refusal_.reset();  // one of several addresses was good
    return CURL_PREREQFUNC_OK;
  }
  self.refuse(network);
  return CURL_PREREQFUNC_ABORT;
}

// Asked at each request: the connection may be one that another exchange opened.
int Redirects::on_own_connected(void* user, char* remote, char* local, int remote_port, int local_port) {
  auto& self = *static_cast<Redirects*>(user);
  try {
    const std::vector<uid_t> users = users_of_server(
        {.server_ip = remote, .server_port = remote_port, .client_ip = local, .client_port = local_port});
    const auto stranger =
        std::ranges::find_if(users, [](uid_t one) { return one != ::geteuid() && one != 0; });
    if (!users.empty() && stranger == users.end()) return CURL_PREREQFUNC_OK;
    self.refusal_ = Error(
        ErrorKind::untrusted,
        fmt::format("{}: the program that listens there {}", printable_url(self.url_.origin()),
                    users.empty() ? "is not known to this machine's kernel"
                                  : fmt::format("is of user {}, not yours: nothing was sent", *stranger)),
        "Start your own server there again ('flox catalog serve'), or take its own_catalog out of your "
        "settings.");
  } catch (const std::exception& exception) {  // not through the library's C
    self.refusal_ = to_error(exception);
  }
  return CURL_PREREQFUNC_ABORT;
}

bool Redirects::follow(CURL* handle, long status) {
  if (!is_redirect(status) || (now_.method != "GET" && now_.method != "HEAD")) return false;
  char* location = nullptr;
  curl().easy_getinfo(handle, CURLINFO_REDIRECT_URL, &location);
  if (location == nullptr) return false;
  in_context(printable_url(now_.url), [&] {
    const HttpUrl next = in_context("redirect", [&] { return HttpUrl::parse(location); });
    const std::string target = printable_url(next.to_string());
    if (++hops_ > max_hops)
      fail(ErrorKind::untrusted, "it redirects more than {} times, in the end to {}", max_hops, target);
    if (next.login) fail(ErrorKind::untrusted, "it redirects to {} with a user or password", target);
    if (url_.scheme == "https" && next.scheme != "https")
      fail(ErrorKind::untrusted, "it redirects from https to {}", target);
    if (!from_) {
      // A proxy's address says nothing about the server's.
      char* address = nullptr;
      curl().easy_getinfo(handle, CURLINFO_PRIMARY_IP, &address);
      from_ = network_of_host(first_url_.host);
      if (!from_ && proxy_.empty() && address != nullptr) from_ = network_of_host(address);
      if (!from_) from_ = Network::internet;
    }
    if (next.origin() != first_url_.origin()) foreign_ = true;
    if (foreign_) {
      std::erase_if(now_.headers, [](const auto& header) { return !may_leave(header.first); });
      now_.login.reset();
      now_.bearer = {};
    }
    url_ = next;
    now_.url = next.to_string();
    proxy_ = now_.is_direct ? "" : proxy_for(next);
    const auto network = network_of_host(next.host);
    if (foreign_ && network && next.host != first_url_.host && !admits(*network)) {
      refuse(*network);
      throw Error(*refusal_);
    }
  });
  return true;
}

}  // namespace flox
