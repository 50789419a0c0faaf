#include "node/installer/toml_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/data/toml.h"

namespace flox::node {
namespace {

constexpr std::string_view block_begin = "# >>> flox node install: flox node uninstall takes this away";
constexpr std::string_view block_end = "# <<< flox node install";
constexpr std::string_view was = "  # flox node install; was: ";  // and the line that stood there
constexpr std::string_view is_new = "  # flox node install";

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1);
    lines.emplace_back(text.substr(at, end + 1 - at));
    at = end + 1;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line;
  return text;
}

std::string indentation(const std::string& line) {
  return line.substr(0, line.find_first_not_of(" \t"));
}  // all, if blank

std::string trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos
             ? std::string()
             : std::string(line.substr(first, line.find_last_not_of(" \t\r\n") + 1 - first));
}

const toml::node* find(const toml::table& table, const TomlPath& path) {
  const toml::node* node = &table;
  for (const auto& part : path) {
    const toml::table* inner = node->as_table();
    node = inner ? inner->get(part) : nullptr;
    if (!node) return nullptr;
  }
  return node;
}

std::string written(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << toml::toml_formatter(value); });
  return out.str();
}

// Does the table (or nothing) have the key with that value?
bool has(const toml::node* table, const std::string& key, const std::string& value) {
  const toml::node* node = table && table->is_table() ? table->as_table()->get(key) : nullptr;
  if (!node || value.empty()) return !node && value.empty();
  const toml::table wanted = parse_toml("v = " + value, "value");
  return written(*node) == written(*wanted.get("v"));
}

// The path of the table that a line opens: "[a.b]  # comment" → {"a", "b"}; nothing for any other line.
std::optional<TomlPath> header_of(const std::string& line) {
  const std::string text = trimmed(line);
  if (!text.starts_with('[') || text.starts_with("[[")) return {};
  try {
    TomlPath path;
    const toml::table table = parse_toml(text, "line");
    for (const toml::table* at = &table; at->size() == 1;) {
      path.emplace_back(at->begin()->first.str());
      at = at->begin()->second.as_table();
      if (!at) return {};
    }
    return path;
  } catch (const std::exception&) {
    return {};  // within an array or a string of several lines
  }
}

[[noreturn]] void fail_by_hand(std::string_view name, const TomlPath& path, const TomlValues& values) {
  std::string advice = "write this yourself, and run the command again:\n" + toml_header(path);
  for (const auto& [key, value] : values)
    if (!value.empty()) advice += fmt::format("\n  {} = {}", key, value);
  throw Error(ErrorKind::invalid_input,
              fmt::format("{}: the table {} is written in a way that cannot be changed line by line", name,
                          toml_header(path)),
              advice);
}

// `first` is the line below the table's header, where new values go.
void set_in_table(std::vector<std::string>& lines, size_t first, const TomlPath& path,
                  const toml::table& table, const TomlValues& values, std::string_view name) {
  const std::string indent = first == 0 ? "" : indentation(lines[first - 1]) + "  ";
  size_t inserted = 0;
  for (const auto& [key, value] : values) {
    if (has(&table, key, value)) continue;
    const toml::node* present = table.get(key);
    if (!present) {
      lines.insert(lines.begin() + static_cast<long>(first + inserted++),
                   fmt::format("{}{} = {}{}\n", indent, key, value, is_new));
      continue;
    }
    const auto region = present->source();
    const size_t at = region.begin.line - 1 + inserted;
    if (region.begin.line != region.end.line || at >= lines.size()) fail_by_hand(name, path, values);
    const std::string setting = value.empty() ? "" : fmt::format("{} = {}", key, value);
    lines[at] = fmt::format("{}{}{}{}\n", indentation(lines[at]), setting, was, trimmed(lines[at]));
  }
}

}  // namespace

std::string toml_header(const TomlPath& path) {
  std::string header = "[";
  for (const auto& part : path) {
    const bool bare = !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '-';
    });
    header += (header.size() > 1 ? "." : "") + (bare ? part : "\"" + part + "\"");
  }
  return header + "]";
}

std::string toml_block(const TomlPath& path, const TomlValues& values) {
  std::string block = fmt::format("{}\n{}\n", block_begin, toml_header(path));
  for (const auto& [key, value] : values)
    if (!value.empty()) block += fmt::format("  {} = {}\n", key, value);
  return block + fmt::format("{}\n", block_end);
}

std::string set_toml_values(std::string_view text, const TomlPath& path, const TomlValues& values,
                            std::string_view name) {
  const toml::table before = parse_toml(text, name);
  const toml::node* node = find(before, path);
  if (node && !node->is_table()) fail_by_hand(name, path, values);
  if (std::all_of(values.begin(), values.end(),
                  [&](const auto& value) { return has(node, value.first, value.second); }))
    return std::string(text);

  std::vector<std::string> lines = lines_of(text);
  if (!lines.empty() && !lines.back().ends_with('\n')) lines.back() += '\n';
  const auto header =
      std::find_if(lines.begin(), lines.end(), [&](const auto& line) { return header_of(line) == path; });
  if (path.empty()) {
    set_in_table(lines, 0, path, before, values, name);
  } else if (header != lines.end()) {
    if (!node) fail_by_hand(name, path, values);  // that line is part of a string
    set_in_table(lines, static_cast<size_t>(header - lines.begin()) + 1, path, *node->as_table(), values,
                 name);
  } else {
    lines.push_back(toml_block(path, values));
  }
  std::string after = joined(lines);

  try {
    const toml::table result = parse_toml(after, name);
    for (const auto& [key, value] : values)
      if (!has(find(result, path), key, value)) fail_by_hand(name, path, values);
  } catch (const Error& error) {
    if (!error.advice().empty()) throw;
    fail_by_hand(name, path, values);
  }
  return after;
}

std::string undo_toml_edits(std::string_view text) {
  std::string result;
  bool in_block = false;
  for (const auto& line : lines_of(text)) {
    const std::string content = trimmed(line);
    if (content == block_begin) in_block = true;
    if (!in_block) {
      if (const size_t mark = line.find(was); mark != std::string::npos)
        result += indentation(line.substr(0, mark)) + trimmed(line.substr(mark + was.size())) + "\n";
      else if (!(content.ends_with(trimmed(is_new)) && content.find(is_new) != std::string::npos))
        result += line;
    }
    if (content == block_end) in_block = false;
  }
  return result;
}

std::string toml_value(std::string_view text, const TomlPath& path, std::string_view name) {
  const toml::table table = parse_toml(text, name);
  const toml::node* node = find(table, path);
  return node ? written(*node) : std::string();
}

TomlValues toml_values(std::string_view text, const TomlPath& path, std::string_view name) {
  const toml::table table = parse_toml(text, name);
  const toml::node* node = find(table, path);
  TomlValues values;
  if (node && node->is_table())
    for (const auto& [key, value] : *node->as_table())
      if (!value.is_table()) values.emplace_back(key.str(), written(value));
  return values;
}

}  // namespace flox::node
