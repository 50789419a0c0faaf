#include "server/api/cursor.h"

#include "base/data/base64url.h"
#include "base/error.h"

namespace flox::server {
namespace {

constexpr size_t longest_cursor = 2048;  // characters
constexpr char separator = '\0';         // in no text of a database

}  // namespace

std::string to_cursor(const CursorKey& key) {
  std::string text;
  for (const std::string& part : key) text += part + separator;
  return to_base64url(text);
}

CursorKey parse_cursor(std::string_view text, size_t texts) {
  CursorKey key;
  if (text.size() <= longest_cursor) {
    try {
      const std::string decoded = from_base64url(text);
      for (std::string_view rest = decoded; !rest.empty();) {
        const size_t end = rest.find(separator);
        if (end == std::string_view::npos) break;
        key.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end + 1);
        if (key.size() == texts && rest.empty()) return key;
      }
    } catch (const Error&) {  // which is said below
    }
  }
  throw Error(ErrorKind::invalid_input, "'cursor' is not one of this list",
              "Begin without it, and take each next one from the answer before.");
}

}  // namespace flox::server
