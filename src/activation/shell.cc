#include "activation/shell.h"

#include <fmt/format.h>

#include <algorithm>

namespace flox::activation {
namespace {

std::string with_escapes(std::string_view text, std::string_view escaped, std::string_view quote) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' && !quote.empty()) {
      result += quote;
      continue;
    }
    if (escaped.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result + "'";
}

}  // namespace

std::string_view name_of(Shell shell) noexcept {
  switch (shell) {
    case Shell::bash:
      return "bash";
    case Shell::zsh:
      return "zsh";
    case Shell::fish:
      return "fish";
    case Shell::tcsh:
      return "tcsh";
    case Shell::sh:
      break;
  }
  return "sh";
}

std::optional<Shell> shell_named(const fs::path& program) {
  std::string name = program.filename();
  if (name.starts_with('-')) name.erase(0, 1);  // a login shell
  for (const Shell shell : {Shell::bash, Shell::zsh, Shell::fish, Shell::tcsh})
    if (name == name_of(shell)) return shell;
  if (name == "csh") return Shell::tcsh;
  for (const char* posix : {"sh", "dash", "ash", "busybox"})
    if (name == posix) return Shell::sh;
  return std::nullopt;
}

bool is_identifier(std::string_view name) noexcept {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string quoted(Shell shell, std::string_view text) {
  if (shell == Shell::fish) return with_escapes(text, "\\'", "");
  if (shell != Shell::tcsh) return with_escapes(text, "", "'\\''");
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return with_escapes(line, "!", "'\\''");  // history is substituted within quotes, too
}

std::string exported(Shell shell, std::string_view name, std::string_view value) {
  const std::string word = quoted(shell, value);
  if (shell == Shell::fish) return fmt::format("set -gx {} {};\n", name, word);
  if (shell == Shell::tcsh) return fmt::format("setenv {} {};\n", name, word);
  return fmt::format("export {}={};\n", name, word);
}

std::string unset(Shell shell, std::string_view name) {
  if (shell == Shell::fish) return fmt::format("set -e {};\n", name);
  if (shell == Shell::tcsh) return fmt::format("unsetenv {};\n", name);
  return fmt::format("unset {};\n", name);
}

std::string put_in_front(Shell shell, std::string_view name, std::string_view entry) {
  const std::string word = quoted(shell, entry);
  // fish splits these two at colons, and joins them again.
  if (shell == Shell::fish) return fmt::format("set -gx {} {} ${};\n", name, word, name);
  if (shell == Shell::tcsh) return fmt::format("setenv {} {}\":${{{}}}\";\n", name, word, name);
  return fmt::format("export {}={}\":${{{}}}\";\n", name, word, name);
}

std::string sourced(Shell shell, const fs::path& script) {
  const std::string word = quoted(shell, script.native());
  if (shell == Shell::fish) return fmt::format("source {}; or true;\n", word);
  if (shell == Shell::tcsh) return fmt::format("source {};\n", word);
  // dash and busybox end the shell at a command that fails in a script that is sourced within eval, `||` or
  // not.
  if (shell == Shell::sh)
    return fmt::format("case $- in *e*) set +e; . {0}; set -e;; *) . {0} || :;; esac;\n", word);
  return fmt::format(". {} || :;\n", word);
}

}  // namespace flox::activation
