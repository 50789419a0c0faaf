#include "package/debian/control.h"

#include <algorithm>

#include "base/error.h"

namespace flox::package {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n'))
    text.remove_suffix(1);
  return text;
}

// Calls `body` with each piece of `text` between separators.
template <typename Body>
void for_each_piece(std::string_view text, char separator, Body body) {
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(separator, begin), text.size());
    body(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

std::vector<Stanza> parse_control(std::string_view text) {
  std::vector<Stanza> result;
  Stanza current;
  std::string* value = nullptr;  // of the field that a continuation line belongs to
  for_each_piece(text, '\n', [&](std::string_view line) {
    if (trim(line).empty()) {
      if (!current.empty()) result.push_back(std::move(current));
      current = {};
      value = nullptr;
      return;
    }
    if (line.front() == ' ' || line.front() == '\t') {
      if (value == nullptr) fail(ErrorKind::invalid_input, "control data: '{}' continues no field", line);
      value->append("\n").append(trim(line));
      return;
    }
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
      fail(ErrorKind::invalid_input, "control data: '{}' is not a field", line);
    value = &current[std::string(line.substr(0, colon))];
    *value = trim(line.substr(colon + 1));
  });
  if (!current.empty()) result.push_back(std::move(current));
  return result;
}

Relations parse_relations(std::string_view text) {
  Relations result;
  for_each_piece(text, ',', [&](std::string_view relation) {
    std::vector<std::string> names;
    for_each_piece(relation, '|', [&](std::string_view alternative) {
      std::string_view name = trim(alternative);
      name = name.substr(0, name.find_first_of(" \t\n(:[<"));
      if (!name.empty()) names.emplace_back(name);
    });
    if (!names.empty()) result.push_back(std::move(names));
  });
  return result;
}

std::map<std::string, std::string> parse_exact_versions(std::string_view text) {
  std::map<std::string, std::string> result;
  for_each_piece(text, ',', [&](std::string_view relation) {
    if (relation.find('|') != std::string_view::npos) return;
    const std::string_view whole = trim(relation);
    const size_t open = whole.find('('), close = whole.find(')', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return;
    const std::string_view condition = trim(whole.substr(open + 1, close - open - 1));
    if (!condition.starts_with('=')) return;
    const std::string_view name = whole.substr(0, whole.find_first_of(" \t\n(:[<"));
    const std::string_view version = trim(condition.substr(1));
    if (!name.empty() && !version.empty()) result.emplace(name, version);
  });
  return result;
}

std::string store_version(std::string_view version) {
  if (size_t colon = version.find(':'); colon != std::string_view::npos) version.remove_prefix(colon + 1);
  std::string result(version);
  std::replace(result.begin(), result.end(), '~', '_');
  return result;
}

std::string upstream_version(std::string_view version) {
  if (size_t colon = version.find(':'); colon != std::string_view::npos) version.remove_prefix(colon + 1);
  return std::string(version.substr(0, version.rfind('-')));
}

}  // namespace flox::package
