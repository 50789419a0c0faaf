#include "store/cache/nar_url.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/printable.h"

namespace flox::store {
namespace {

constexpr size_t max_url = 2048;  // bytes
constexpr size_t shown = 200;     // characters of a URL that is refused

[[noreturn]] void refuse(std::string_view url, std::string_view why) {
  throw Error(
      ErrorKind::untrusted,
      fmt::format("narinfo: URL: '{}' {}", printable(url.substr(0, url.find('?')), shown), why),
      "A cache may name only files of its own. If it keeps them elsewhere, pass their URL with nar-url= in "
      "the cache's URL.");
}

// As text may be decoded once more on its way (a proxy), it is looked at in every state.
bool is_plain_component(std::string component) {
  for (int times = 0; times < 4; ++times) {
    if (component.empty() || component == "." || component == "..") return false;
    if (std::ranges::any_of(component,
                            [](unsigned char c) { return c < ' ' || c == 0x7f || c == '/' || c == '\\'; }))
      return false;
    std::string decoded = url_decode(component);
    if (decoded == component) return true;
    component = std::move(decoded);
  }
  return false;
}

std::string_view without_query(std::string_view url) { return url.substr(0, url.find('?')); }

// `path` begins behind a slash, and has no query: what a file's name has after a '?' is part of it.
void check_path(std::string_view url, std::string_view path) {
  for (;;) {
    const std::string_view component = path.substr(0, path.find('/'));
    if (!is_plain_component(std::string(component)))
      refuse(url, "has a component that no file of a cache has");
    if (component.size() == path.size()) return;
    path.remove_prefix(component.size() + 1);
  }
}

void check_characters(std::string_view url) {
  if (url.size() > max_url) refuse(url, fmt::format("has more than {} bytes", max_url));
  if (std::ranges::any_of(url,
                          [](unsigned char c) { return c <= ' ' || c >= 0x7f || c == '\\' || c == '#'; }))
    refuse(url, "has characters that no file of a cache has");
}

// A scheme as RFC 3986 has it, followed by its colon.
bool has_scheme(std::string_view url) {
  const size_t end = url.find_first_of(":/?");
  return end != std::string_view::npos && url[end] == ':';
}

bool is_below(const HttpUrl& url, const std::string& other) {
  const HttpUrl parsed = HttpUrl::parse(other);
  std::string directory = parsed.target.substr(0, parsed.target.find('?'));
  if (!directory.ends_with('/')) directory += '/';
  return url.origin() == parsed.origin() && url.target.starts_with(directory);
}

}  // namespace

std::string resolve_nar_url(std::string_view base, std::string_view url,
                            const std::vector<std::string>& others) {
  check_characters(url);
  if (!has_scheme(url)) {
    if (url.starts_with('/')) refuse(url, "is not relative to the cache's URL");
    check_path(url, without_query(url));
    return std::string(base) + "/" + std::string(url);
  }
  if (!url.starts_with("http://") && !url.starts_with("https://")) refuse(url, "is not an HTTP URL");
  HttpUrl parsed;
  try {
    parsed = HttpUrl::parse(url);
  } catch (const Error&) {
    refuse(url, "is not an HTTP URL");
  }
  if (parsed.login) refuse(printable_url(url), "has a user or password");
  check_path(url, without_query(parsed.target).substr(1));
  if (parsed.origin() != HttpUrl::parse(base).origin() &&
      std::ranges::none_of(others, [&](const std::string& other) { return is_below(parsed, other); }))
    refuse(url, "leads to another server than the cache's");
  return parsed.to_string();
}

std::string resolve_nar_path(std::string_view url) {
  check_characters(url);
  if (has_scheme(url) || url.starts_with('/')) refuse(url, "is not relative to the cache's directory");
  check_path(url, url);
  return std::string(url);
}

}  // namespace flox::store
