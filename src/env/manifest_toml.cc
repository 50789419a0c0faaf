#include "env/manifest_toml.h"

#include "base/data/toml_edit.h"
#include "base/error.h"

namespace flox::env {
namespace {

using nlohmann::json;

// Of several lines as such, for scripts are read by people. toml++ writes texts, too, but loses the line end
// that they begin with.
std::string toml_text(const std::string& text) {
  if (text.find('\n') == std::string::npos) return toml_string(text);
  std::string lines = "\"\"\"\n";
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = toml_string(text.substr(at, end - at));
    lines += line.substr(1, line.size() - 2);
    if (end < text.size()) lines += '\n';
    at = end + 1;
  }
  return lines + "\"\"\"";
}

// Recurses once per level, of which parsed documents have few.
std::string toml_value(const json& value) {
  if (value.is_string()) return toml_text(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value.dump();
  std::string inner;
  for (const auto& [key, member] : value.items())
    if (!member.is_null())
      inner += fmt::format("{}{}{}", inner.empty() ? "" : ", ",
                           value.is_object() ? toml_key(key) + " = " : std::string(), toml_value(member));
  return value.is_array() ? "[" + inner + "]" : inner.empty() ? "{}" : "{ " + inner + " }";
}

// A line for each value, tables in dotted keys; recurses as above.
void add_lines(const json& table, const std::string& before, std::string& text) {
  for (const auto& [key, value] : table.items()) {
    const std::string name = before + toml_key(key);
    if (value.is_object() && !value.empty())
      add_lines(value, name + ".", text);
    else if (!value.is_null())
      text += fmt::format("{} = {}\n", name, toml_value(value));
  }
}

}  // namespace

std::string manifest_toml(const json& manifest) {
  if (!manifest.is_object()) fail(ErrorKind::invalid_input, "a manifest must be an object");
  std::string text;
  for (const auto& [key, value] : manifest.items())
    if (!value.is_object() && !value.is_null())
      text += fmt::format("{} = {}\n", toml_key(key), toml_value(value));
  for (const auto& [key, value] : manifest.items())
    if (value.is_object()) {
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", toml_key(key));
      add_lines(value, "", text);
    }
  return text;
}

}  // namespace flox::env
