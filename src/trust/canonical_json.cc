#include "trust/canonical_json.h"

#include "base/error.h"

namespace flox::trust {
namespace {

void append_text(std::string& out, const std::string& text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append(std::string& out, const nlohmann::json& value) {
  using Type = nlohmann::json::value_t;
  switch (value.type()) {
    case Type::object: {
      char separator = '{';
      if (value.empty()) out += separator;
      for (const auto& [key, member] : value.items()) {  // sorted: nlohmann::json keeps a std::map
        out += separator;
        append_text(out, key);
        out += ':';
        append(out, member);
        separator = ',';
      }
      out += '}';
      return;
    }
    case Type::array: {
      char separator = '[';
      if (value.empty()) out += separator;
      for (const nlohmann::json& element : value) {
        out += separator;
        append(out, element);
        separator = ',';
      }
      out += ']';
      return;
    }
    case Type::string:
      return append_text(out, value.get_ref<const std::string&>());
    case Type::number_integer:
    case Type::number_unsigned:
    case Type::boolean:
    case Type::null:
      out += value.dump();
      return;
    case Type::number_float:
    case Type::binary:
    case Type::discarded:
      break;
  }
  fail(ErrorKind::invalid_input, "a number that is no integer has no canonical form");
}

}  // namespace

std::string canonical_json(const nlohmann::json& document) {
  std::string out;
  append(out, document);
  return out;
}

}  // namespace flox::trust
