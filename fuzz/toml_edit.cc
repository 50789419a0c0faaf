// TOML texts with one value changed. Input: the names of a path, an empty one, the value, the text, with NULs
// between.
#include "base/data/toml_edit.h"

#include <algorithm>
#include <optional>

#include "base/data/toml.h"
#include "base/data/toml_syntax.h"
#include "fuzz.h"

namespace flox::fuzz::of_toml_edit {
namespace {

const toml::node* at(const toml::table& root, const TomlPath& path) {
  const toml::node* node = &root;
  for (const auto& name : path) {
    const toml::table* table = node->as_table();
    node = table == nullptr ? nullptr : table->get(name);
    if (node == nullptr) return nullptr;
  }
  return node;
}

// Every place lies in the text, behind the one before.
void check_places(const TomlSyntax& syntax, size_t size) {
  size_t end = 0;
  for (const auto& section : syntax.sections) {
    require(section.line.begin >= end && section.line.end >= section.line.begin,
            "sections follow each other");
    end = section.line.end;
    for (const auto& [line, entry] : section.statements) {
      require(line.begin >= end && entry.value.place.end <= line.end, "statements follow each other");
      require(entry.key.names.size() == entry.key.places.size(), "every name has its place");
      end = line.end;
    }
  }
  require(end <= size, "places are in the text");
}

}  // namespace

void one(std::string_view input) {
  TomlPath path;
  while (!input.empty()) {
    const std::string_view name = take_until(input, '\0');
    if (name.empty()) break;
    path.emplace_back(name);
  }
  const std::string value(take_until(input, '\0'));
  std::optional<TomlSyntax> syntax;
  if (accepts([&] { syntax = scan_toml(input, "input"); })) check_places(*syntax, input.size());
  toml::table before;
  if (path.empty() || !accepts([&] { before = parse_toml(input, "input"); })) return;

  std::string edited;
  if (accepts([&] { edited = with_toml_value(input, path, value, "input"); })) {
    const toml::table after = parse_toml(edited, "edited");
    const toml::node* node = at(after, path);
    require(node != nullptr && node->value<std::string>() == value, "the value is there");
    TomlPath added = {path[0]};  // the first table on the way that was not there
    while (added.size() < path.size() && at(before, added) != nullptr) added.push_back(path[added.size()]);
    // A table that only had tables in it gets a header with its first value, and keeps it.
    const bool has_new_header =
        added == path && syntax && scan_toml(edited, "edited").sections.size() > syntax->sections.size();
    if (at(before, added) == nullptr && !has_new_header)
      require(without_toml_value(edited, added, "edited") == input, "what was added can be taken back");
  }
  if (accepts([&] { edited = without_toml_value(input, path, "input"); },
              {ErrorKind::invalid_input, ErrorKind::not_found}))
    require(at(parse_toml(edited, "edited"), path) == nullptr, "what was removed is gone");
}

}  // namespace flox::fuzz::of_toml_edit
