// A value of a manifest with its place in the text: YAML whose anchors, aliases and merge keys have been
// resolved, or JSON. Never changes once built; copies share it.
#pragma once  // Fuzzed by fuzz/kube_manifest.cc.

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flox::kube {

// Counted from 1, the column in characters; 0: not known (what came from JSON).
struct Place {
  int line = 0, column = 0;
};

class YamlNode {
 public:
  enum class Kind { missing, null, scalar, list, map };
  using Field = std::pair<YamlNode, YamlNode>;  // the key, which is a scalar, and the value

  YamlNode() = default;  // missing
  static YamlNode null(Place place);
  // `plain`: written without quotes, so that 20 is a number and true is none of its letters.
  static YamlNode scalar(Place place, std::string text, bool plain);
  static YamlNode list(Place place, std::vector<YamlNode> items);
  // The keys must be scalars and differ.
  static YamlNode map(Place place, std::vector<Field> fields);

  Kind kind() const noexcept;
  bool is_missing() const noexcept { return kind() == Kind::missing; }
  bool is_scalar() const noexcept { return kind() == Kind::scalar; }
  bool is_list() const noexcept { return kind() == Kind::list; }
  bool is_map() const noexcept { return kind() == Kind::map; }
  // Neither missing nor null.
  bool is_given() const noexcept { return kind() > Kind::null; }

  Place place() const noexcept;
  const std::string& text() const noexcept;  // of a scalar; otherwise empty
  bool plain() const noexcept;
  const std::vector<YamlNode>& items() const noexcept;  // of a list; otherwise none
  const std::vector<Field>& fields() const noexcept;    // of a map, in the text's order; otherwise none
  // The value of a map's field; missing if there is none.
  YamlNode operator[](std::string_view key) const noexcept;

  // What the aliases to this value cost: its nodes, and the bytes of its scalars.
  size_t nodes() const noexcept;
  size_t bytes() const noexcept;

 private:
  struct Data;
  explicit YamlNode(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

// As Kubernetes makes JSON of YAML: plain scalars that are numbers, true or false become such. Throws
// std::range_error for a number that JSON cannot hold (.inf).
nlohmann::json to_json(const YamlNode& node);
// A document that has been read before, without places.
YamlNode to_node(const nlohmann::json& document);

// yes, no, on, off, true, false in the spellings of YAML 1.1.
bool is_boolean_word(std::string_view text) noexcept;
bool boolean_of_word(std::string_view text) noexcept;

// A whole number as Kubernetes takes it from YAML: 0644 and 0o644 are octal, 0x1a4 hexadecimal. Nothing if it
// is none.
std::optional<int64_t> parse_integer(std::string_view text);

}  // namespace flox::kube
