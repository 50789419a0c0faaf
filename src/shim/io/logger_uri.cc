#include "shim/io/logger_uri.h"

#include "base/error.h"

namespace flox::shim {
namespace {

constexpr size_t uri_limit = 64 << 10;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text, bool plus_is_space) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      result.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      result.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return result;
}

}  // namespace

std::string uri_scheme(const std::string& text) {
  size_t end = text.find("://");
  return end == std::string::npos || text.starts_with('/') ? "" : text.substr(0, end);
}

std::string uri_path(const std::string& text) {
  std::string scheme = uri_scheme(text);
  if (scheme.empty()) return text;
  std::string rest = text.substr(scheme.size() + 3);
  return decode(rest.substr(0, rest.find('?')), false);
}

LoggerUri LoggerUri::parse(const std::string& text) {
  LoggerUri result;
  if (text.size() > uri_limit)
    fail(ErrorKind::invalid_input, "the URI of a logging program has {} bytes, more than {}", text.size(),
         uri_limit);
  result.argv.push_back(uri_path(text));
  if (!result.argv[0].starts_with('/'))
    fail(ErrorKind::invalid_input, "logging program {} has no absolute path", text);
  size_t query = text.find('?');
  for (size_t at = query == std::string::npos ? text.size() : query + 1; at < text.size();) {
    size_t end = std::min(text.find('&', at), text.size());
    std::string_view pair(text.data() + at, end - at);
    at = end + 1;
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    result.argv.push_back(decode(pair.substr(0, equals), true));
    if (equals != std::string_view::npos) result.argv.push_back(decode(pair.substr(equals + 1), true));
  }
  for (const std::string& word : result.argv)  // "%00" would end it early
    if (word.find('\0') != std::string::npos)
      fail(ErrorKind::invalid_input, "the URI of a logging program holds a NUL");
  return result;
}

}  // namespace flox::shim
