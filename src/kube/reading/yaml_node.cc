#include "kube/reading/yaml_node.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

namespace flox::kube {

using nlohmann::json;

struct YamlNode::Data {
  Kind kind = Kind::null;
  Place place = {};
  std::string text = {};
  bool plain = false;
  std::vector<YamlNode> items = {};
  std::vector<Field> fields = {};
  size_t nodes = 1, bytes = 0;
};

namespace {

const std::string no_text;
const std::vector<YamlNode> no_items;
const std::vector<YamlNode::Field> no_fields;

}  // namespace

YamlNode YamlNode::null(Place place) { return YamlNode(std::make_shared<Data>(Data{.place = place})); }

YamlNode YamlNode::scalar(Place place, std::string text, bool plain) {
  const size_t bytes = text.size();
  return YamlNode(std::make_shared<Data>(
      Data{.kind = Kind::scalar, .place = place, .text = std::move(text), .plain = plain, .bytes = bytes}));
}

YamlNode YamlNode::list(Place place, std::vector<YamlNode> items) {
  Data data{.kind = Kind::list, .place = place, .items = std::move(items)};
  for (const auto& item : data.items) {
    data.nodes += item.nodes();
    data.bytes += item.bytes();
  }
  return YamlNode(std::make_shared<Data>(std::move(data)));
}

YamlNode YamlNode::map(Place place, std::vector<Field> fields) {
  Data data{.kind = Kind::map, .place = place, .fields = std::move(fields)};
  for (const auto& [key, value] : data.fields) {
    data.nodes += key.nodes() + value.nodes();
    data.bytes += key.bytes() + value.bytes();
  }
  return YamlNode(std::make_shared<Data>(std::move(data)));
}

YamlNode::Kind YamlNode::kind() const noexcept { return data_ ? data_->kind : Kind::missing; }
Place YamlNode::place() const noexcept { return data_ ? data_->place : Place{}; }
const std::string& YamlNode::text() const noexcept { return data_ ? data_->text : no_text; }
bool YamlNode::plain() const noexcept { return data_ && data_->plain; }
const std::vector<YamlNode>& YamlNode::items() const noexcept { return data_ ? data_->items : no_items; }
const std::vector<YamlNode::Field>& YamlNode::fields() const noexcept {
  return data_ ? data_->fields : no_fields;
}
size_t YamlNode::nodes() const noexcept { return data_ ? data_->nodes : 0; }
size_t YamlNode::bytes() const noexcept { return data_ ? data_->bytes : 0; }

YamlNode YamlNode::operator[](std::string_view key) const noexcept {
  for (const auto& [name, value] : fields())
    if (name.text() == key) return value;
  return {};
}

bool is_boolean_word(std::string_view text) noexcept {
  for (const char* word : {"true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no", "No",
                           "NO", "on", "On", "ON", "off", "Off", "OFF"})
    if (text == word) return true;
  return false;
}

bool boolean_of_word(std::string_view text) noexcept {
  const char first = text.empty() ? 'f' : text.front();
  return first == 't' || first == 'T' || first == 'y' || first == 'Y' || text == "on" || text == "On" ||
         text == "ON";
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

namespace {

// A plain scalar with a fraction or an exponent. JSON has no other numbers: .inf and .nan are refused.
std::optional<double> parse_real(const std::string& text) {
  if (text.find_first_of("0123456789") == std::string::npos) return std::nullopt;
  double number = 0;
  const char* begin = text.c_str() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.c_str() + text.size(), number);
  if (error != std::errc() || end != text.c_str() + text.size()) return std::nullopt;
  if (!std::isfinite(number)) throw std::range_error("the number " + text + " is too large");
  return number;
}

json scalar_to_json(const YamlNode& node) {
  const std::string& text = node.text();
  if (!node.plain()) return text;
  if (const auto integer = parse_integer(text)) return *integer;
  if (is_boolean_word(text)) return boolean_of_word(text);
  if (const auto number = parse_real(text)) return *number;
  return text;
}

}  // namespace

// The depth of a node is limited where it is built (yaml_documents.h, parse_json).
json to_json(const YamlNode& node) {
  switch (node.kind()) {
    case YamlNode::Kind::map: {
      json map = json::object();
      for (const auto& [key, value] : node.fields()) map[key.text()] = to_json(value);
      return map;
    }
    case YamlNode::Kind::list: {
      json list = json::array();
      for (const auto& item : node.items()) list.push_back(to_json(item));
      return list;
    }
    case YamlNode::Kind::scalar:
      return scalar_to_json(node);
    default:
      return nullptr;
  }
}

YamlNode to_node(const json& document) {
  switch (document.type()) {
    case json::value_t::object: {
      std::vector<YamlNode::Field> fields;
      for (const auto& [key, value] : document.items())
        fields.emplace_back(YamlNode::scalar({}, key, false), to_node(value));
      return YamlNode::map({}, std::move(fields));
    }
    case json::value_t::array: {
      std::vector<YamlNode> items;
      for (const auto& item : document) items.push_back(to_node(item));
      return YamlNode::list({}, std::move(items));
    }
    case json::value_t::string:
      return YamlNode::scalar({}, document.get<std::string>(), false);
    case json::value_t::null:
      return YamlNode::null({});
    default:
      return YamlNode::scalar({}, document.dump(), true);
  }
}

}  // namespace flox::kube
