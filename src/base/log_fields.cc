#include "base/log_fields.h"

#include <algorithm>

#include "base/printable.h"

namespace flox::log {
namespace {

constexpr size_t max_value = 300;  // characters

thread_local const Fields* present_fields = nullptr;

bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '/' || c == ':' || c == '@' || c == '+';
}

// Of printable text: neither control characters nor broken UTF-8 are left.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

}  // namespace

Fields::Fields(std::initializer_list<Field> fields) : fields_(fields), outer_(present_fields) {
  present_fields = this;
}
Fields::~Fields() { present_fields = outer_; }

Fields::List Fields::current() {
  std::vector<const Fields*> all;
  for (const Fields* one = present_fields; one != nullptr; one = one->outer_) all.push_back(one);
  List list;
  for (auto one = all.rbegin(); one != all.rend(); ++one)
    for (const auto& [name, value] : (*one)->fields_)
      if (!value.empty()) list.emplace_back(name, printable(value, max_value));
  return list;
}

std::string text_line(std::string_view level, const Fields::List& fields, std::string_view message) {
  std::string line(level);
  for (const auto& [name, value] : fields)
    line.append(" ").append(name).append("=").append(std::ranges::all_of(value, is_plain) ? value
                                                                                          : quoted(value));
  return line.append(" ").append(message);
}

std::string json_line(std::string_view time, std::string_view level, const Fields::List& fields,
                      std::string_view message) {
  std::string line = "{\"time\":" + quoted(time) + ",\"level\":" + quoted(level);
  for (const auto& [name, value] : fields)
    line.append(",\"").append(name).append("\":").append(quoted(value));
  return line.append(",\"message\":").append(quoted(message)).append("}");
}

}  // namespace flox::log
