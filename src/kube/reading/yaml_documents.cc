#include "kube/reading/yaml_documents.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "kube/reading/yaml_scan.h"

namespace flox::kube {
namespace {

Place place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

[[noreturn]] void reject(const std::string& source, Place place, std::string_view what) {
  throw Error(ErrorKind::invalid_input, fmt::format("{}:{}:{}: {}", source, place.line, place.column, what));
}

// Builds nodes from what yaml-cpp's parser reports. The parser recurses once a level, so that the limit of
// depth, which is checked as a level begins, limits its stack, too.
class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& source, const YamlLimits& limits) : source_(source), limits_(limits) {}

  std::vector<YamlNode> documents;
  // yaml-cpp 0.7 reports empty documents for ever at a token that begins none, such as that of "- a\n, b".
  bool stuck() const { return empty_ && begin_ == previous_begin_; }
  Place place() const { return place_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    previous_begin_ = begin_;
    begin_ = mark.pos;
    place_ = place_of(mark);
    empty_ = true;
    levels_.clear();
    anchors_.clear();
    if (documents.size() == limits_.documents) fail_at("there are too many documents");
    documents.push_back(YamlNode::null(place_));
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    place_ = place_of(mark);
    finish(YamlNode::null(place_), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    begin_value(mark);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail_at("an anchor cannot be used within what it names");
    const auto [node, depth] = found->second;
    if (levels_.size() + depth > limits_.depth) fail_at("lists and maps are nested too deep");
    add(node.nodes(), node.bytes());
    if (!levels_.empty()) levels_.back().depth = std::max(levels_.back().depth, depth + 1);
    put(node);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    begin_value(mark);
    const bool plain = tag == "?" || tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:bool" ||
                       tag == "tag:yaml.org,2002:float";
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str") refuse_tag(tag);
    if (value.size() > limits_.scalar) fail_at("the text is too long for one value");
    if (value.find('\0') != std::string::npos) fail_at("a text cannot hold a NUL");
    finish(YamlNode::scalar(place_, value, plain), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin_level(mark, tag, "tag:yaml.org,2002:seq", anchor, false);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin_level(mark, tag, "tag:yaml.org,2002:map", anchor, true);
  }
  void OnSequenceEnd() override {
    Level level = take_level();
    finish(YamlNode::list(level.place, std::move(level.values)), level.anchor, level.depth);
  }
  void OnMapEnd() override {
    Level level = take_level();
    finish(build_map(level), level.anchor, level.depth);
  }

 private:
  // A list or map that has begun. A map's values are its keys and values in turn.
  struct Level {
    bool is_map = false;
    Place place;
    YAML::anchor_t anchor = 0;
    std::vector<YamlNode> values;
    std::set<std::string> keys;
    size_t depth = 1;  // levels from here down
  };

  [[noreturn]] void fail_at(std::string_view what) const { reject(source_, place_, what); }

  [[noreturn]] void refuse_tag(const std::string& tag) const {
    fail_at(fmt::format("the tag {} is not supported: a manifest has texts, numbers, lists and maps", tag));
  }

  void begin_value(const YAML::Mark& mark) {
    place_ = place_of(mark);
    empty_ = false;
  }

  void begin_level(const YAML::Mark& mark, const std::string& tag, std::string_view own_tag,
                   YAML::anchor_t anchor, bool is_map) {
    begin_value(mark);
    if (tag != "?" && !tag.empty() && tag != own_tag) refuse_tag(tag);
    if (levels_.size() == limits_.depth) fail_at("lists and maps are nested too deep");
    levels_.push_back({is_map, place_, anchor, {}, {}, 1});
  }

  Level take_level() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (!levels_.empty()) levels_.back().depth = std::max(levels_.back().depth, level.depth + 1);
    return level;
  }

  void add(size_t nodes, size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > limits_.nodes)
      fail_at(fmt::format("there are more than {} values, those behind aliases counted each time",
                          limits_.nodes));
    if (bytes_ > limits_.expanded_bytes)
      fail_at(fmt::format("the texts take more than {} bytes, those behind aliases counted each time",
                          limits_.expanded_bytes));
  }

  // A value is complete.
  void finish(YamlNode node, YAML::anchor_t anchor, size_t depth = 0) {
    add(1, node.is_scalar() ? node.bytes() : 0);
    if (anchor != 0) anchors_[anchor] = {node, depth};
    put(std::move(node));
  }

  void put(YamlNode node) {
    if (levels_.empty()) {
      documents.back() = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.is_map && level.values.size() % 2 == 0) check_key(level, node);
    level.values.push_back(std::move(node));
  }

  static bool is_merge(const YamlNode& key) { return key.plain() && key.text() == "<<"; }

  void check_key(Level& level, const YamlNode& key) const {
    if (!key.is_scalar()) reject(source_, key.place(), "a field's name must be a word");
    if (level.keys.insert((is_merge(key) ? "m" : "k") + key.text()).second) return;
    if (is_merge(key)) fail_at("the merge key << is given twice; merge several maps by <<: [*a, *b]");
    fail_at(fmt::format("the field {} is given twice", key.text()));
  }

  YamlNode build_map(Level& level) {
    std::vector<YamlNode::Field> fields;
    YamlNode merged;
    for (size_t i = 0; i + 1 < level.values.size(); i += 2) {
      if (is_merge(level.values[i]))
        merged = level.values[i + 1];
      else
        fields.emplace_back(std::move(level.values[i]), std::move(level.values[i + 1]));
    }
    if (merged.is_list())
      for (const auto& map : merged.items()) merge(map, level, fields);
    else if (!merged.is_missing())
      merge(merged, level, fields);
    return YamlNode::map(level.place, std::move(fields));
  }

  // Adds the fields that the map does not have yet.
  void merge(const YamlNode& from, Level& level, std::vector<YamlNode::Field>& fields) {
    if (!from.is_map()) reject(source_, from.place(), "a merge key << takes a map or a list of maps");
    for (const auto& field : from.fields())
      if (level.keys.insert("k" + field.first.text()).second) fields.push_back(field);
  }

  const std::string& source_;
  const YamlLimits& limits_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, std::pair<YamlNode, size_t>> anchors_;  // complete ones, with their depth
  size_t nodes_ = 0, bytes_ = 0;
  Place place_;
  int begin_ = -1, previous_begin_ = -1;
  bool empty_ = true;
};

}  // namespace

std::vector<YamlNode> load_documents(std::string_view text, const std::string& source,
                                     const YamlLimits& limits) {
  const YamlFault fault = check_text(text, limits);
  if (fault.what) reject(source, fault.place, fault.what);
  std::istringstream stream{std::string(text)};
  Builder builder(source, limits);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder))
      if (builder.stuck()) reject(source, builder.place(), "no document begins like this");
  } catch (const YAML::Exception& error) {
    reject(source, place_of(error.mark), error.msg);
  }
  return std::move(builder.documents);
}

}  // namespace flox::kube
