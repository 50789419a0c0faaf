#include "base/data/toml_edit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <span>

#include "base/data/toml.h"
#include "base/data/toml_syntax.h"
#include "base/error.h"
#include "base/printable.h"

namespace flox {
namespace {

using Names = std::span<const std::string>;

bool starts_with(Names names, Names beginning) {
  return names.size() >= beginning.size() && std::ranges::equal(names.first(beginning.size()), beginning);
}

std::string dotted(Names names) {
  std::string key;
  for (const auto& name : names) key += (key.empty() ? "" : ".") + toml_key(name);
  return key;
}

std::string shown(Names path) { return printable(dotted(path), 200); }

// Replaces one place of the text.
struct Splice {
  TomlPlace place;
  std::string text;
};

std::string spliced(std::string_view text, std::vector<Splice> splices) {
  std::ranges::sort(splices, {}, [](const Splice& splice) { return splice.place.begin; });
  std::string result;
  size_t at = 0;
  for (const Splice& splice : splices) {
    if (splice.place.begin > at) result += text.substr(at, splice.place.begin - at);
    result += splice.text;
    at = std::max(at, splice.place.end);
  }
  return result += text.substr(at);
}

std::string_view slice(std::string_view text, TomlPlace place) {
  return text.substr(place.begin, place.end - place.begin);
}

// The value as the text that is there has it: a literal string stays one where that is possible.
std::string written(const TomlNewValue& value, std::string_view before) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> items;
    for (const auto& item : *list) items.push_back(toml_string(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
  const auto& string = std::get<std::string>(value);
  const bool literal =
      before.starts_with('\'') && !before.starts_with("'''") &&
      std::ranges::none_of(string, [](unsigned char c) { return c < 0x20 || c == '\'' || c == 0x7f; });
  return literal ? "'" + string + "'" : toml_string(string);
}

// The entry at `path`, seen from where this one stands; nullptr if it is another.
const TomlEntry* entry_at(const TomlEntry& entry, Names path) {
  if (!starts_with(path, entry.key.names)) return nullptr;
  if (entry.key.names.size() == path.size()) return &entry;
  if (entry.value.is_inline_table)
    for (const TomlEntry& inner : entry.value.entries)
      if (const auto* found = entry_at(inner, path.subspan(entry.key.names.size()))) return found;
  return nullptr;
}

const TomlEntry* entry_at(const TomlSyntax& syntax, Names path) {
  for (const TomlSection& section : syntax.sections) {
    if (section.is_list || !starts_with(path, section.name.names)) continue;
    for (const TomlStatement& statement : section.statements)
      if (const auto* found = entry_at(statement.entry, path.subspan(section.name.names.size())))
        return found;
  }
  return nullptr;
}

// Where a new value goes.
class Adder {
 public:
  Adder(std::string_view text, const TomlSyntax& syntax, Names path, std::string value)
      : text_(text), syntax_(syntax), path_(path), value_(std::move(value)) {}

  Splice splice() const {
    if (path_.size() == 1) {
      const TomlSection& first = syntax_.sections.front();
      const bool only_comments = syntax_.sections.size() == 1 && first.statements.empty();
      return behind(only_comments ? text_.size() : first.end(), toml_key(path_.front()) + " = " + value_);
    }
    for (size_t depth = path_.size() - 1; depth > 0; --depth) {
      const Names table = path_.first(depth);
      const std::string entry = dotted(path_.subspan(depth)) + " = " + value_;
      if (const auto* found = entry_at(syntax_, table); found != nullptr && found->value.is_inline_table)
        return in_inline_table(found->value, entry);
      for (const TomlSection& section : syntax_.sections)
        if (!section.is_list && std::ranges::equal(section.name.names, table))
          return behind(section.end(), indentation_in(section) + entry);
      if (auto found = beside_dotted_key(table, entry)) return *found;
    }
    return in_new_section();
  }

 private:
  static Splice in_inline_table(const TomlValue& table, const std::string& entry) {
    if (table.entries.empty()) return {{table.place.begin + 1, table.place.begin + 1}, " " + entry};
    const size_t end = table.entries.back().value.place.end;
    return {{end, end}, ", " + entry};
  }

  // Below the last line that puts something into the table by a dotted key, with the table written as there.
  std::optional<Splice> beside_dotted_key(Names table, const std::string& entry) const {
    std::optional<Splice> found;
    for (const TomlSection& section : syntax_.sections) {
      const size_t above = section.name.names.size();
      if (section.is_list || above >= table.size() || !starts_with(table, section.name.names)) continue;
      const Names rest = table.subspan(above);
      for (const TomlStatement& statement : section.statements) {
        const TomlKey& key = statement.entry.key;
        if (key.names.size() <= rest.size() || !starts_with(key.names, rest)) continue;
        const TomlPlace written_table = {key.places.front().begin, key.places[rest.size() - 1].end};
        found = behind(statement.line.end,
                       indentation(statement) + std::string(slice(text_, written_table)) + "." + entry);
      }
    }
    return found;
  }

  Splice in_new_section() const {
    size_t at = text_.size();
    for (const TomlSection& section : syntax_.sections)
      if (starts_with(section.name.names, path_.first(1))) at = section.end();
    const std::string end = line_end(at);
    return behind(
        at, fmt::format("{}[{}]{}{} = {}", at == 0 ? "" : end, dotted(path_.first(path_.size() - 1)), end,
                        toml_key(path_.back()), value_));
  }

  // A new line behind the one that ends at `at`.
  Splice behind(size_t at, const std::string& line) const {
    const std::string end = line_end(at);
    const bool ended = at == 0 || text_[at - 1] == '\n';
    return {{at, at}, ended ? line + end : end + line};
  }

  std::string line_end(size_t at) const {
    size_t end = at == 0 || text_[at - 1] != '\n' ? text_.find('\n') : at - 1;
    if (end == std::string_view::npos) return "\n";
    return end > 0 && text_[end - 1] == '\r' ? "\r\n" : "\n";
  }

  std::string indentation(const TomlStatement& statement) const {
    return std::string(slice(text_, {statement.line.begin, statement.entry.key.places.front().begin}));
  }
  std::string indentation_in(const TomlSection& section) const {
    if (!section.statements.empty()) return indentation(section.statements.back());
    const std::string_view line = slice(text_, section.line);
    return std::string(line.substr(0, line.find('[')));
  }

  std::string_view text_;
  const TomlSyntax& syntax_;
  Names path_;
  std::string value_;
};

// What has to go, so that nothing is left at a path.
class Remover {
 public:
  Remover(std::string_view text, const TomlSyntax& syntax) : text_(text), syntax_(syntax) {}

  std::vector<Splice> splices(Names path) {
    for (const TomlSection& section : syntax_.sections) {
      const Names name = section.name.names;
      if (starts_with(name, path))
        remove_section(section);
      else if (!section.is_list && starts_with(path, name))
        for (const TomlStatement& statement : section.statements)
          if (!remove_in(statement.entry, path.subspan(name.size()))) remove(statement.line);
    }
    return std::move(splices_);
  }

 private:
  void remove(TomlPlace place) { splices_.push_back({place, ""}); }

  // With one empty line above it.
  void remove_section(const TomlSection& section) {
    size_t begin = section.line.begin;
    if (begin > 0) {
      size_t above = text_.rfind('\n', begin - 1);  // the end of the line above
      above = above == 0 || above == std::string_view::npos ? 0 : text_.rfind('\n', above - 1) + 1;
      const std::string_view line = text_.substr(above, begin - above);
      if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) begin = above;
    }
    remove({begin, section.end()});
  }

  // False if the entry is to go as a whole.
  bool remove_in(const TomlEntry& entry, Names path) {
    const Names key = entry.key.names;
    if (starts_with(key, path)) return false;
    if (!starts_with(path, key) || !entry.value.is_inline_table) return true;
    const auto& entries = entry.value.entries;
    std::vector<bool> stays;
    for (const TomlEntry& inner : entries) stays.push_back(remove_in(inner, path.subspan(key.size())));
    for (size_t first = 0; first < entries.size(); ++first) {
      if (stays[first]) continue;
      size_t next = first;
      while (next < entries.size() && !stays[next]) ++next;
      const size_t end = entries[next - 1].value.place.end;
      if (first > 0)
        remove({entries[first - 1].value.place.end, end});
      else if (next < entries.size())
        remove({entries[0].key.places[0].begin, entries[next].key.places[0].begin});
      else
        remove({entry.value.place.begin + 1, end});
      first = next;
    }
    return true;
  }

  std::string_view text_;
  const TomlSyntax& syntax_;
  std::vector<Splice> splices_;
};

bool same(const toml::node& a, const toml::node& b);

bool same(const toml::table& a, const toml::table& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a)
    if (const toml::node* other = b.get(key.str()); other == nullptr || !same(value, *other)) return false;
  return true;
}

// Equal, and a number that is none is equal to itself.
bool same(const toml::node& a, const toml::node& b) {
  if (a.type() != b.type()) return false;
  if (const auto* table = a.as_table()) return same(*table, *b.as_table());
  if (const auto* array = a.as_array()) {
    const toml::array& other = *b.as_array();
    if (array->size() != other.size()) return false;
    for (size_t i = 0; i < array->size(); ++i)
      if (!same((*array)[i], other[i])) return false;
    return true;
  }
  if (const auto* number = a.as_floating_point()) {
    const double x = number->get(), y = b.as_floating_point()->get();
    return (std::isnan(x) && std::isnan(y)) || x == y;
  }
  return a.visit([&](const auto& value) {
    using Node = std::decay_t<decltype(value)>;
    if constexpr (toml::is_table<Node> || toml::is_array<Node>)
      return false;
    else
      return value == *b.as<typename Node::value_type>();
  });
}

// In a parsed text. False if something that is no table stands on the way.
bool put(toml::table& root, Names path, const TomlNewValue& value) {
  toml::table* table = &root;
  for (const auto& name : path.first(path.size() - 1)) {
    if (!table->contains(name)) table->insert(name, toml::table());
    table = table->get(name)->as_table();
    if (table == nullptr) return false;
  }
  if (const auto* string = std::get_if<std::string>(&value)) {
    table->insert_or_assign(path.back(), *string);
  } else {
    toml::array list;
    for (const auto& item : std::get<std::vector<std::string>>(value)) list.push_back(item);
    table->insert_or_assign(path.back(), std::move(list));
  }
  return true;
}

// Tables that held nothing else may be gone, too, if the new text does not have them.
void erase(toml::table& table, const toml::table* changed, Names path) {
  if (path.size() == 1) {
    table.erase(path[0]);
    return;
  }
  toml::node* const inner = table.get(path[0]);
  if (inner == nullptr || !inner->is_table()) return;
  const toml::node* const changed_inner = changed == nullptr ? nullptr : changed->get(path[0]);
  erase(*inner->as_table(), changed_inner == nullptr ? nullptr : changed_inner->as_table(), path.subspan(1));
  if (inner->as_table()->empty() && changed_inner == nullptr) table.erase(path[0]);
}

// Every table on the way is looked for.
void check_path(Names path, std::string_view name) {
  if (path.empty() || path.size() > TomlLimits().depth)
    fail(ErrorKind::invalid_input, "editing {}: a path of {} names", name, path.size());
}

// Gives `after` if it says what was wanted.
std::string verified(std::string after, std::string_view name, Names path,
                     const std::function<bool(const toml::table& changed)>& as_wanted) {
  const auto refuse = [&](const std::string& why) {
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("editing {}: {} stands there in a way that cannot be edited: {}", name, shown(path), why),
        "Nothing was written. Edit the file by hand.");
  };
  std::optional<toml::table> changed;
  try {
    changed = parse_toml(after, "the result");
  } catch (const Error& error) {
    refuse(error.what());
  }
  if (!as_wanted(*changed)) refuse("the result would say something else");
  return after;
}

}  // namespace

std::string with_toml_value(std::string_view text, const TomlPath& path, const TomlNewValue& value,
                            std::string_view name) {
  check_path(path, name);
  const toml::table before = parse_toml(text, name);
  toml::table wanted = before;
  const bool has_place = put(wanted, path, value);
  // The value is there, in quotes and lines of somebody's own.
  if (has_place && same(wanted, before)) return std::string(text);
  const TomlSyntax syntax = scan_toml(text, name);
  const TomlEntry* const there = entry_at(syntax, path);
  const Splice splice = there != nullptr
                            ? Splice{there->value.place, written(value, slice(text, there->value.place))}
                            : Adder(text, syntax, path, written(value, "")).splice();
  return verified(spliced(text, {splice}), name, path,
                  [&](const toml::table& changed) { return has_place && same(wanted, changed); });
}

std::string without_toml_value(std::string_view text, const TomlPath& path, std::string_view name) {
  check_path(path, name);
  toml::table wanted = parse_toml(text, name);
  const TomlSyntax syntax = scan_toml(text, name);
  const std::vector<Splice> splices = Remover(text, syntax).splices(path);
  if (splices.empty()) fail(ErrorKind::not_found, "editing {}: there is no {}", name, shown(path));
  const bool up_to_end =
      std::ranges::any_of(splices, [&](const Splice& splice) { return splice.place.end == text.size(); });
  std::string result = spliced(text, splices);
  // A text whose last line had no end keeps that.
  if (up_to_end && !text.ends_with('\n') && result.ends_with('\n'))
    result.resize(result.size() - (result.ends_with("\r\n") ? 2 : 1));
  return verified(std::move(result), name, path, [&](const toml::table& changed) {
    erase(wanted, &changed, path);
    return same(wanted, changed);
  });
}

std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      result += fmt::format("\\u{:04x}", byte);
    else
      result += c;
  }
  return result + "\"";
}

std::string toml_key(std::string_view name) {
  const bool bare = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
  return bare ? std::string(name) : toml_string(name);
}

}  // namespace flox
