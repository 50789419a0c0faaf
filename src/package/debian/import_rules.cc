#include "package/debian/import_rules.h"

#include <algorithm>
#include <set>

#include "base/data/toml.h"
#include "base/error.h"

namespace flox::package {
namespace {

constexpr size_t max_rules = 1000;          // of a kind
constexpr size_t max_rule_text = 64 << 10;  // bytes of one value

// A table of the file, whose members must all be asked for.
class RuleTable {
 public:
  RuleTable(const toml::table& table, std::string name) : table_(table), name_(std::move(name)) {}

  std::string text(const char* key) {
    const toml::node* node = take(key);
    if (node == nullptr) fail(ErrorKind::invalid_input, "{} has no '{}'", name_, key);
    return text_of(*node, key);
  }
  std::vector<std::string> texts(const char* key, bool required = true) {
    const toml::node* node = take(key);
    if (node == nullptr && !required) return {};
    if (node == nullptr || !node->is_array())
      fail(ErrorKind::invalid_input, "{}: '{}' is not a list", name_, key);
    std::vector<std::string> result;
    for (const auto& element : *node->as_array()) {
      if (result.size() == max_rules)
        fail(ErrorKind::invalid_input, "{}: '{}' has too many elements", name_, key);
      result.push_back(text_of(element, key));
    }
    return result;
  }
  // A place or a pattern of some in the tree: nothing above it.
  std::string place(const char* key) { return checked_place(text(key), key); }
  std::vector<std::string> places(const char* key, bool required = true) {
    auto result = texts(key, required);
    for (const auto& one : result) checked_place(one, key);
    return result;
  }
  std::string checked_place(std::string text, const char* key) const {
    const bool good = !text.empty() && !text.starts_with('/') && !text.starts_with("..") &&
                      text.find("//") == std::string::npos;
    if (!good) fail(ErrorKind::invalid_input, "{}: '{}': '{}' is not a place in a tree", name_, key, text);
    return text;
  }
  std::vector<RuleTable> tables(const char* key) {
    const toml::node* node = take(key);
    std::vector<RuleTable> result;
    if (node == nullptr) return result;
    if (!node->is_array()) fail(ErrorKind::invalid_input, "{}: '{}' is not a list of tables", name_, key);
    for (const auto& element : *node->as_array()) {
      if (!element.is_table() || result.size() == max_rules)
        fail(ErrorKind::invalid_input, "{}: '{}' has something other than a table, or more than {}", name_,
             key, max_rules);
      result.emplace_back(*element.as_table(), std::string(name_) + ": " + key);
    }
    return result;
  }
  std::map<std::string, std::string> pairs(const char* key) {
    const toml::node* node = take(key);
    std::map<std::string, std::string> result;
    if (node == nullptr) return result;
    if (!node->is_table()) fail(ErrorKind::invalid_input, "{}: '{}' is not a table", name_, key);
    for (const auto& [name, value] : *node->as_table())
      result[checked_place(std::string(name.str()), key)] = text_of(value, key);
    return result;
  }
  void end() const {
    for (const auto& [name, value] : table_)
      if (!taken_.contains(std::string(name.str())))
        fail(ErrorKind::invalid_input, "{} has an unknown member '{}'", name_, std::string(name.str()));
  }

 private:
  const toml::node* take(const char* key) {
    taken_.insert(key);
    return table_.get(key);
  }
  std::string text_of(const toml::node& node, const char* key) const {
    const auto* text = node.as_string();
    if (text == nullptr || text->get().size() > max_rule_text)
      fail(ErrorKind::invalid_input, "{}: '{}' holds something other than a text, or one that is too long",
           name_, key);
    return text->get();
  }

  const toml::table& table_;
  std::string name_;
  std::set<std::string> taken_;
};

ImportRules::Variable::Mode mode_of(const std::string& text) {
  if (text == "set") return ImportRules::Variable::Mode::set;
  if (text == "if-unset") return ImportRules::Variable::Mode::if_unset;
  if (text == "append") return ImportRules::Variable::Mode::append;
  fail(ErrorKind::invalid_input, "variable: '{}' is no mode; there are set, if-unset and append", text);
}

// It becomes a word of a shell script.
std::string variable_name(std::string name) {
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  }) && !(name[0] >= '0' && name[0] <= '9');
  if (!good) fail(ErrorKind::invalid_input, "'{}' is not the name of a variable", name);
  return name;
}

}  // namespace

ImportRules parse_import_rules(std::string_view text, std::string_view name) {
  const toml::table document = parse_toml(text, name);
  RuleTable all(document, std::string(name));
  ImportRules rules;
  rules.leave_out = all.texts("leave-out", false);
  rules.interpreters = all.pairs("interpreters");
  rules.libraries = all.pairs("libraries");
  rules.script_tools = all.texts("script-tools", false);
  rules.copies = all.places("copies", false);
  rules.rewrites = all.places("rewrites", false);
  rules.modules = all.places("modules", false);
  rules.failures = all.texts("failures", false);
  for (RuleTable& table : all.tables("extra")) {
    rules.extras.push_back({.when = table.texts("when"), .add = table.texts("add")});
    table.end();
  }
  for (RuleTable& table : all.tables("link")) {
    rules.links.push_back({.place = table.place("place"), .targets = table.places("targets")});
    table.end();
  }
  for (RuleTable& table : all.tables("variable")) {
    rules.variables.push_back({.name = variable_name(table.text("name")),
                               .mode = mode_of(table.text("mode")),
                               .places = table.places("places"),
                               .environment = table.places("environment", false),
                               .programs = table.places("programs", false)});
    table.end();
  }
  for (RuleTable& table : all.tables("arguments")) {
    rules.arguments.push_back({.programs = table.places("programs"), .add = table.texts("add")});
    table.end();
  }
  for (RuleTable& table : all.tables("compiled")) {
    ImportRules::Compiled rule{.library = table.place("library"), .prefix = table.text("prefix")};
    if (!rule.prefix.starts_with("/usr/") || rule.prefix.size() < 8)
      fail(ErrorKind::invalid_input, "compiled: '{}' is not a directory below /usr", rule.prefix);
    rules.compiled.push_back(std::move(rule));
    table.end();
  }
  for (RuleTable& table : all.tables("file")) {
    rules.files.push_back({.place = table.place("place"), .content = table.text("content")});
    table.end();
  }
  all.end();
  return rules;
}

}  // namespace flox::package
