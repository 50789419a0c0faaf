#include "base/data/json.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/foreign_error.h"

namespace flox {
namespace {

[[noreturn]] void fail_at(std::string_view text, size_t offset, std::string_view name,
                          std::string_view what) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  fail(ErrorKind::invalid_input, "{}:{}:{}: {}", name, line, 1 + offset - line_start, what);
}

// One pass over the tokens of a text, without regard to its grammar: that is the parser's business. `on_name`
// is called with the offset of each member's colon.
template <typename OnName>
void walk(std::string_view text, std::string_view name, const JsonLimits& limits, OnName&& on_name) {
  size_t depth = 0, values = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        for (++i; i < text.size() && text[i] != '"'; ++i)
          if (text[i] == '\\') ++i;
        break;
      case '[':
      case '{':
        if (++depth > limits.depth)
          fail_at(text, i, name, fmt::format("nested more than {} levels deep", limits.depth));
        [[fallthrough]];
      case ',':
        if (++values > limits.values)
          fail_at(text, i, name, fmt::format("more than {} members and elements", limits.values));
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        break;
      case ':':
        on_name(i);
        break;
      default:
        if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
          const size_t end = std::min(text.find_first_not_of("+-.eE0123456789", i), text.size());
          if (end - i > limits.number)
            fail_at(text, i, name, fmt::format("a number of more than {} characters", limits.number));
          i = end - 1;
        }
    }
  }
}

void check(std::string_view text, std::string_view name, const JsonLimits& limits) {
  if (text.size() > limits.bytes)
    fail(ErrorKind::invalid_input, "{}: {} bytes are over the limit of {}", name, text.size(), limits.bytes);
  walk(text, name, limits, [](size_t) {});
}

// Where the n-th member's name ends, counted from 1.
size_t offset_of_name(std::string_view text, size_t n) {
  size_t offset = 0;
  walk(text, "", {.bytes = SIZE_MAX, .depth = SIZE_MAX, .values = SIZE_MAX, .number = SIZE_MAX},
       [&](size_t colon) {
         if (n > 0 && --n == 0) offset = colon;
       });
  return offset;
}

// Builds the document from nlohmann's events. An object's members are appended, not looked for: in
// ordered_json that would take time by the square of their number.
template <typename Json>
class Builder {
 public:
  Builder(std::string_view text, std::string_view name, Json& root) : text_(text), name_(name), root_(root) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(typename Json::number_integer_t value) { return add(value); }
  bool number_unsigned(typename Json::number_unsigned_t value) { return add(value); }
  bool number_float(typename Json::number_float_t value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(typename Json::binary_t&) { return false; }  // not in JSON
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& value) {
    ++names_;
    if constexpr (is_ordered)
      if (!open_.back().names.insert(value).second) fail_twice(value);
    key_ = std::move(value);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while parsing …"
    std::string_view what = error.what();
    if (const size_t found = what.find("syntax error while parsing "); found != std::string_view::npos)
      what.remove_prefix(found + std::string_view("syntax error while parsing ").size());
    else if (const size_t bracket = what.find("] "); bracket != std::string_view::npos)
      what.remove_prefix(bracket + 2);
    fail_at(text_, position == 0 ? 0 : position - 1, name_, fmt::format("not JSON: {}", printable(what)));
  }

 private:
  struct Open {
    Json* value;
    std::set<std::string, std::less<>> names;  // if the object itself does not know them in their order
  };

  static constexpr bool is_ordered = std::is_same_v<Json, nlohmann::ordered_json>;

  [[noreturn]] void fail_twice(std::string_view key) const {
    fail_at(text_, offset_of_name(text_, names_), name_, fmt::format("'{}' stands twice", printable(key)));
  }

  static std::string printable(std::string_view text) {
    std::string result;
    for (const char c : text.substr(0, 200))
      result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return result;
  }

  template <typename Value>
  Json* place(Value&& value) {
    if (open_.empty()) {
      root_ = std::forward<Value>(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::forward<Value>(value));
      return &parent.back();
    }
    auto& members = parent.template get_ref<typename Json::object_t&>();
    if constexpr (is_ordered) {
      members.push_back({std::move(key_), Json(std::forward<Value>(value))});
      return &members.back().second;
    } else {
      const auto [at, is_new] = members.try_emplace(std::move(key_), std::forward<Value>(value));
      if (!is_new) fail_twice(at->first);
      return &at->second;
    }
  }
  template <typename Value>
  bool add(Value&& value) {
    place(std::forward<Value>(value));
    return true;
  }
  bool open(Json value) {
    Json* const placed = place(std::move(value));  // parents do not grow while it is open: it stays there
    open_.push_back({placed, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  std::string_view name_;
  Json& root_;
  std::vector<Open> open_;
  std::string key_;
  size_t names_ = 0;
};

template <typename Json>
Json parse(std::string_view text, std::string_view name, const JsonLimits& limits) {
  check(text, name, limits);
  Json result;
  Builder<Json> builder(text, name, result);
  try {
    Json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const nlohmann::detail::exception& error) {  // none is known: parse_error() has them all
    throw to_error(error).with_context(name);
  }
  return result;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view name, const JsonLimits& limits) {
  return parse<nlohmann::json>(text, name, limits);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, std::string_view name,
                                          const JsonLimits& limits) {
  return parse<nlohmann::ordered_json>(text, name, limits);
}

const nlohmann::json& member(const nlohmann::json& object, const char* key, std::string_view name) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: an object is expected", name);
  const auto found = object.find(key);
  if (found == object.end()) fail(ErrorKind::invalid_input, "{}: '{}' is missing", name, key);
  return *found;
}

std::string string_member(const nlohmann::json& object, const char* key, std::string_view name) {
  const nlohmann::json& value = member(object, key, name);
  if (!value.is_string()) fail(ErrorKind::invalid_input, "{}: '{}' is not a string", name, key);
  return value.get<std::string>();
}

std::string optional_string(const nlohmann::json& object, const char* key, std::string_view name,
                            std::string fallback) {
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{}: an object is expected", name);
  if (const auto found = object.find(key); found == object.end() || found->is_null()) return fallback;
  return string_member(object, key, name);
}

}  // namespace flox
