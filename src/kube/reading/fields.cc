#include "kube/reading/fields.h"

#include <charconv>
#include <cmath>

namespace flox::kube {
namespace {

bool is_number(const std::string& text) {
  double value;
  const char* begin = text.c_str() + (text.starts_with("+") ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.c_str() + text.size(), value);
  return error == std::errc() && end == text.c_str() + text.size() && begin != end;
}

}  // namespace

std::string to_string(const ObjectKey& key) {
  const bool plain = key.namespace_.empty() || key.namespace_ == "default";
  return fmt::format("{} {}{}", key.kind, plain ? "" : key.namespace_ + "/", key.name);
}

void ReadContext::reject(const YamlNode& where, const std::string& path, const std::string& text) const {
  std::string place = source;
  if (where.place().line > 0) place += fmt::format(":{}:{}", where.place().line, where.place().column);
  throw Error(ErrorKind::invalid_input, fmt::format("{}: {}{}{}{}", place, object, object.empty() ? "" : ": ",
                                                    path.empty() ? "" : path + ": ", text));
}

void ReadContext::note(const std::string& text) const {
  if (notes) notes->push_back(object.empty() ? text : object + ": " + text);
}

Fields::Fields(const YamlNode& node, const std::string& path, const ReadContext& context,
               std::span<const FieldRule> rules)
    : node_(node), path_(path), context_(context), rules_(rules) {
  if (!node.is_given()) return;
  if (!node.is_map()) context_.reject(node, path_, "expected a map of fields");
  map_ = node;
}

void Fields::finish() const {
  for (const auto& [key, value] : map_.fields()) {
    if (read_.contains(key.text()) || !value.is_given()) continue;
    const FieldRule* known = nullptr;
    for (const auto& rule : rules_)
      if (key.text() == rule.name) known = &rule;
    if (!known) context_.reject(key, path_of(key.text().c_str()), "there is no such field");
    apply(*known, key, value);
  }
}

void Fields::apply(const FieldRule& rule, const YamlNode& key, const YamlNode& value) const {
  if (value.is_scalar() && *rule.harmless && value.text() == rule.harmless) return;
  const bool empty = (value.is_list() && value.items().empty()) || (value.is_map() && value.fields().empty());
  if (rule.treatment == Treatment::silent || (rule.treatment == Treatment::refused && empty)) return;
  const std::string path = path_of(rule.name);
  if (rule.treatment == Treatment::refused) context_.reject(key, path, fmt::format("refused; {}", rule.why));
  context_.note(path + ": noted; " + rule.why);
}

std::string Fields::path_of(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

bool Fields::has(const char* key) const { return map_[key].is_given(); }

YamlNode Fields::node(const char* key) {
  read_.insert(key);
  YamlNode value = map_[key];
  return value.is_given() ? value : YamlNode();
}

void Fields::accept_all() {
  for (const auto& [key, value] : map_.fields()) read_.insert(key.text());
}

void Fields::reject(const char* key, const std::string& text) const {
  context_.reject(has(key) ? map_[key] : map_, path_of(key), text);
}

void Fields::reject(const std::string& text) const { context_.reject(node_, path_, text); }

std::string string_of(const YamlNode& node, const std::string& path, const ReadContext& context) {
  if (!node.is_given()) return {};
  if (!node.is_scalar()) context.reject(node, path, "expected a string");
  const std::string& value = node.text();
  if (node.plain() && (is_number(value) || is_boolean_word(value)))
    context.reject(node, path, fmt::format("must be a string, which {0} is not; write \"{0}\"", value));
  return value;
}

std::string Fields::text(const char* key, const std::string& otherwise) {
  const YamlNode value = node(key);
  return value.is_missing() ? otherwise : string_of(value, path_of(key), context_);
}

std::string Fields::required_text(const char* key) {
  std::string value = text(key);
  if (value.empty()) reject(key, "is missing");
  return value;
}

std::string Fields::word(const char* key, std::initializer_list<const char*> words) {
  const std::string value = text(key);
  if (value.empty()) return *words.begin();
  std::string known;
  for (const char* each : words) {
    if (value == each) return value;
    if (*each) known += fmt::format("{}{}", known.empty() ? "" : ", ", each);
  }
  reject(key, fmt::format("{} is not one of {}", value, known));
}

std::optional<int64_t> Fields::integer(const char* key, int64_t minimum, int64_t maximum) {
  const YamlNode value = node(key);
  if (value.is_missing()) return std::nullopt;
  const auto number = value.plain() ? parse_integer(value.text()) : std::nullopt;
  if (!number)
    reject(key, fmt::format("expected a whole number{}",
                            value.is_scalar() ? ", found \"" + value.text() + "\"" : ""));
  if (*number < minimum || *number > maximum)
    reject(key, fmt::format("{} is out of range: {} to {}", *number, minimum, maximum));
  return number;
}

std::optional<bool> Fields::boolean(const char* key) {
  const YamlNode value = node(key);
  if (value.is_missing()) return std::nullopt;
  if (!value.plain() || !is_boolean_word(value.text()))
    reject(key, fmt::format("expected true or false{}",
                            value.is_scalar() ? ", found \"" + value.text() + "\"" : ""));
  return boolean_of_word(value.text());
}

std::vector<std::string> Fields::texts(const char* key) {
  std::vector<std::string> values;
  each(key, [&](const YamlNode& item, const std::string& path) {
    values.push_back(string_of(item, path, context_));
  });
  return values;
}

std::vector<int64_t> Fields::integers(const char* key, int64_t minimum, int64_t maximum) {
  std::vector<int64_t> values;
  each(key, [&](const YamlNode& item, const std::string& path) {
    const auto number = item.plain() ? parse_integer(item.text()) : std::nullopt;
    if (!number || *number < minimum || *number > maximum)
      context_.reject(item, path, fmt::format("expected a whole number from {} to {}", minimum, maximum));
    values.push_back(*number);
  });
  return values;
}

StringMap Fields::text_map(const char* key) {
  StringMap values;
  const YamlNode map = node(key);
  if (map.is_missing()) return values;
  if (!map.is_map()) reject(key, "expected a map of strings");
  for (const auto& [name, value] : map.fields())
    values[name.text()] = string_of(value, path_of(key) + "." + name.text(), context_);
  return values;
}

std::optional<int64_t> Fields::quantity(const char* key, bool thousandths) {
  const YamlNode value = node(key);
  if (value.is_missing()) return std::nullopt;
  const auto parsed = value.is_scalar() ? parse_quantity(value.text(), thousandths) : std::nullopt;
  if (!parsed) reject(key, "expected a quantity such as 500m, 2 or 1Gi");
  return parsed;
}

std::string Fields::integer_or_text(const char* key) {
  const YamlNode value = node(key);
  if (value.is_missing()) return {};
  if (!value.is_scalar()) reject(key, "expected a number or a name");
  return value.text();
}

void Fields::each(const char* key, const std::function<void(const YamlNode&, const std::string&)>& read) {
  const YamlNode list = node(key);
  if (list.is_missing()) return;
  if (!list.is_list()) reject(key, "expected a list");
  for (size_t i = 0; i < list.items().size(); ++i)
    read(list.items()[i], fmt::format("{}[{}]", path_of(key), i));
}

void Fields::note(const char* key, const std::string& why) {
  if (!node(key).is_missing()) context_.note(path_of(key) + ": noted; " + why);
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
  if (!(result >= 0 && result <= 9.2e18L)) return std::nullopt;  // also what is no number: 0e9999
  return static_cast<int64_t>(result);
}

}  // namespace flox::kube
