#include "server/api/form.h"

#include "base/error.h"
#include "base/net/server/http_message.h"

namespace flox::server {
namespace {

constexpr size_t most_form_members = 32;

std::string decoded(std::string_view text) {
  auto result = decode_url_part(text, true);
  if (!result) fail(ErrorKind::invalid_input, "the form cannot be decoded");
  return std::move(*result);
}

}  // namespace

std::map<std::string, std::string> parse_form(std::string_view text) {
  std::map<std::string, std::string> members;
  while (!text.empty()) {
    const std::string_view member = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(member.size() + 1, text.size()));
    if (member.empty()) continue;
    const size_t equals = member.find('=');
    const std::string name = decoded(member.substr(0, equals));
    const std::string value =
        equals == std::string_view::npos ? std::string() : decoded(member.substr(equals + 1));
    if (members.size() == most_form_members)
      fail(ErrorKind::invalid_input, "the form has over {} members", most_form_members);
    if (!members.emplace(name, value).second) fail(ErrorKind::invalid_input, "the form has a member twice");
  }
  return members;
}

}  // namespace flox::server
