#include "kube/fields.h"

#include <charconv>
#include <cmath>

namespace flox::kube {
namespace {

bool present(const YAML::Node& node) { return node.IsDefined() && !node.IsNull(); }

bool is_number(const std::string& text) {
  double value;
  const char* begin = text.c_str() + (text.starts_with("+") ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.c_str() + text.size(), value);
  return error == std::errc() && end == text.c_str() + text.size() && begin != end;
}

bool is_boolean(const std::string& text) {
  static const std::set<std::string> words = {"true", "True", "TRUE", "false", "False", "FALSE",
                                              "yes",  "Yes",  "YES",  "no",    "No",    "NO",
                                              "on",   "On",   "ON",   "off",   "Off",   "OFF"};
  return words.contains(text);
}

}  // namespace

std::string to_string(const ObjectKey& key) {
  const bool plain = key.namespace_.empty() || key.namespace_ == "default";
  return fmt::format("{} {}{}", key.kind, plain ? "" : key.namespace_ + "/", key.name);
}

void ReadContext::reject(const YAML::Node& where, const std::string& path, const std::string& text) const {
  const auto mark = where.IsDefined() ? where.Mark() : YAML::Mark::null_mark();
  std::string place = source;
  if (!mark.is_null()) place += fmt::format(":{}:{}", mark.line + 1, mark.column + 1);
  throw Error(ErrorKind::invalid_input, fmt::format("{}: {}{}{}{}", place, object, object.empty() ? "" : ": ",
                                                    path.empty() ? "" : path + ": ", text));
}

void ReadContext::note(const std::string& text) const {
  if (notes) notes->push_back(object.empty() ? text : object + ": " + text);
}

Fields::Fields(const YAML::Node& node, std::string path, const ReadContext& context)
    : path_(std::move(path)), context_(context), exceptions_(std::uncaught_exceptions()) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) context_.reject(node, path_, "expected a map of fields");
  map_.reset(node);
  std::set<std::string> seen;
  for (const auto& field : node) {
    if (!field.first.IsScalar()) context_.reject(field.first, path_, "a field's name must be a word");
    if (!seen.insert(field.first.Scalar()).second)
      context_.reject(field.first, path_, fmt::format("the field {} is given twice", field.first.Scalar()));
  }
}

Fields::~Fields() noexcept(false) {
  if (std::uncaught_exceptions() != exceptions_ || !map_.IsMap()) return;
  for (const auto& field : map_) {
    const std::string name = field.first.Scalar();
    if (!read_.contains(name) && present(field.second))
      context_.note(path_of(name.c_str()) + " is not acted on");
  }
}

std::string Fields::path_of(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

bool Fields::has(const char* key) const {
  if (!map_.IsMap()) return false;
  const YAML::Node& map = map_;  // a const lookup does not insert
  return present(map[key]);
}

YAML::Node Fields::node(const char* key) {
  read_.insert(key);
  if (!has(key)) return YAML::Node(YAML::NodeType::Undefined);
  const YAML::Node& map = map_;
  return map[key];
}

void Fields::reject(const char* key, const std::string& text) const {
  const YAML::Node& map = map_;
  context_.reject(has(key) ? map[key] : map_, path_of(key), text);
}

std::string string_of(const YAML::Node& node, const std::string& path, const ReadContext& context) {
  if (!node.IsDefined() || node.IsNull()) return {};
  if (!node.IsScalar()) context.reject(node, path, "expected a string");
  const std::string& value = node.Scalar();
  const bool quoted = node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str";
  if (!quoted && (is_number(value) || is_boolean(value)))
    context.reject(node, path, fmt::format("must be a string, which {0} is not; write \"{0}\"", value));
  return value;
}

std::string Fields::text(const char* key, const std::string& otherwise) {
  const YAML::Node value = node(key);
  return value.IsDefined() ? string_of(value, path_of(key), context_) : otherwise;
}

std::string Fields::required_text(const char* key) {
  std::string value = text(key);
  if (value.empty()) reject(key, "is missing");
  return value;
}

std::optional<int64_t> Fields::integer(const char* key, int64_t minimum, int64_t maximum) {
  const YAML::Node value = node(key);
  if (!value.IsDefined()) return std::nullopt;
  const std::string text = value.IsScalar() ? value.Scalar() : "";
  const auto number = value.Tag() == "!" ? std::nullopt : parse_integer(text);
  if (!number)
    reject(key, fmt::format("expected a whole number{}", value.IsScalar() ? ", found \"" + text + "\"" : ""));
  if (*number < minimum || *number > maximum)
    reject(key, fmt::format("{} is out of range: {} to {}", *number, minimum, maximum));
  return number;
}

std::optional<bool> Fields::boolean(const char* key) {
  const YAML::Node value = node(key);
  if (!value.IsDefined()) return std::nullopt;
  const std::string text = value.IsScalar() ? value.Scalar() : "";
  if (value.Tag() == "!" || !is_boolean(text))
    reject(key, fmt::format("expected true or false{}", value.IsScalar() ? ", found \"" + text + "\"" : ""));
  return value.as<bool>();
}

std::vector<std::string> Fields::texts(const char* key) {
  std::vector<std::string> values;
  each(key, [&](const YAML::Node& item, const std::string& path) {
    values.push_back(string_of(item, path, context_));
  });
  return values;
}

StringMap Fields::text_map(const char* key) {
  StringMap values;
  const YAML::Node map = node(key);
  if (!map.IsDefined()) return values;
  if (!map.IsMap()) reject(key, "expected a map of strings");
  for (const auto& entry : map) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
    values[name] = string_of(entry.second, path_of(key) + "." + name, context_);
  }
  return values;
}

std::optional<int64_t> Fields::quantity(const char* key, bool thousandths) {
  const YAML::Node value = node(key);
  if (!value.IsDefined()) return std::nullopt;
  const auto parsed = value.IsScalar() ? parse_quantity(value.Scalar(), thousandths) : std::nullopt;
  if (!parsed) reject(key, "expected a quantity such as 500m, 2 or 1Gi");
  return parsed;
}

std::string Fields::integer_or_text(const char* key) {
  const YAML::Node value = node(key);
  if (!value.IsDefined()) return {};
  if (!value.IsScalar()) reject(key, "expected a number or a name");
  return value.Scalar();
}

void Fields::each(const char* key, const std::function<void(const YAML::Node&, const std::string&)>& read) {
  const YAML::Node list = node(key);
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) reject(key, "expected a list");
  for (size_t i = 0; i < list.size(); ++i) read(list[i], fmt::format("{}[{}]", path_of(key), i));
}

void Fields::note(const char* key, const std::string& why) {
  if (node(key).IsDefined()) context_.note(path_of(key) + ": noted; " + why);
}

std::optional<int64_t> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
  }
  text.remove_prefix(base == 16 || text.starts_with("0o") ? 2 : 0);
  if (text.starts_with('-')) return std::nullopt;  // from_chars would take it for a sign
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? -number : number;
}

std::optional<int64_t> parse_quantity(const std::string& text, bool thousandths) {
  static const std::map<std::string, long double> units = {{"n", 1e-9L},
                                                           {"u", 1e-6L},
                                                           {"m", 1e-3L},
                                                           {"", 1},
                                                           {"k", 1e3L},
                                                           {"M", 1e6L},
                                                           {"G", 1e9L},
                                                           {"T", 1e12L},
                                                           {"P", 1e15L},
                                                           {"E", 1e18L},
                                                           {"Ki", 1024.0L},
                                                           {"Mi", 1048576.0L},
                                                           {"Gi", 1073741824.0L},
                                                           {"Ti", 1099511627776.0L},
                                                           {"Pi", 1125899906842624.0L},
                                                           {"Ei", 1152921504606846976.0L}};
  size_t digits = text.find_first_not_of("0123456789.");
  if (digits == std::string::npos) digits = text.size();
  std::string unit = text.substr(digits);
  long double factor = 1;
  if ((unit.starts_with("e") || unit.starts_with("E")) && unit.size() > 1) {  // 1e3
    int exponent = 0;
    const char* begin = unit.data() + 1 + (unit[1] == '+');
    const auto [end, error] = std::from_chars(begin, unit.data() + unit.size(), exponent);
    if (error != std::errc() || end != unit.data() + unit.size()) return std::nullopt;
    factor = std::pow(10.0L, exponent);
  } else {
    const auto found = units.find(unit);
    if (found == units.end()) return std::nullopt;
    factor = found->second;
  }
  long double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (digits == 0 || error != std::errc() || end != text.data() + digits) return std::nullopt;
  const long double result = std::ceil(number * factor * (thousandths ? 1000 : 1) - 1e-6L);
  if (result < 0 || result > 9.2e18L) return std::nullopt;
  return static_cast<int64_t>(result);
}

}  // namespace flox::kube
