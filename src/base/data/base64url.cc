#include "base/data/base64url.h"

#include "base/data/bytes.h"
#include "base/error.h"

namespace flox {

std::string to_base64url(std::string_view bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string from_base64url(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/' || c == '=') fail(ErrorKind::invalid_input, "it is not base64url");
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  try {
    return from_base64(standard);
  } catch (const Error&) {  // which quotes the text: it may be a secret
    fail(ErrorKind::invalid_input, "it is not base64url");
  }
}

}  // namespace flox
