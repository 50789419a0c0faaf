#include "activation/changes.h"

#include "base/data/base64url.h"
#include "base/error.h"

namespace flox::activation {
namespace {

// Calls visit(entry) for each.
template <typename Visit>
void for_each_packed(std::string_view text, Visit visit) {
  const std::string bytes = from_base64url(text);
  std::string_view rest = bytes;
  if (!rest.empty() && !rest.ends_with('\0'))
    fail(ErrorKind::invalid_input, "a list of variables has no end");
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(entry.size() + 1);
    visit(entry);
  }
}

}  // namespace

Changes changes_between(const env::Variables& before, const env::Variables& after) {
  Changes changes;
  for (const auto& [name, value] : after)
    if (const auto old = before.find(name); old == before.end() || old->second != value)
      changes.set.emplace(name, value);
  for (const auto& [name, value] : before)
    if (!after.contains(name)) changes.unset.insert(name);
  return changes;
}

void apply(const Changes& changes, env::Variables& variables) {
  for (const auto& [name, value] : changes.set) variables[name] = value;
  for (const auto& name : changes.unset) variables.erase(name);
}

std::string packed(const env::Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables) text += name + "=" + value + '\0';
  return to_base64url(text);
}

std::string packed(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += name + '\0';
  return to_base64url(text);
}

env::Variables parse_packed_variables(std::string_view text) {
  env::Variables variables;
  for_each_packed(text, [&](std::string_view entry) {
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0)
      fail(ErrorKind::invalid_input, "a list of variables has one without a name");
    variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  });
  return variables;
}

std::set<std::string> parse_packed_names(std::string_view text) {
  std::set<std::string> names;
  for_each_packed(text, [&](std::string_view name) {
    if (name.empty() || name.find('=') != std::string_view::npos)
      fail(ErrorKind::invalid_input, "a list of variables has one without a name");
    names.emplace(name);
  });
  return names;
}

}  // namespace flox::activation
