#include "activation/auto_activation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/data/base64url.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/private_directory.h"
#include "nix/base32.h"

namespace flox::activation {
namespace {

using nlohmann::json;

namespace fs = std::filesystem;

constexpr std::string_view decision_text = "a decision on automatic activation";
constexpr std::string_view state_text = "the state of the shell's prompt";
constexpr size_t max_decision = 64 << 10;     // bytes
constexpr size_t max_content_file = 8 << 20;  // bytes; more than a manifest or a lock may have
constexpr size_t max_state = 256 << 10;       // bytes

// What decides what an activation does.
constexpr const char* content_files[] = {"env.json", "env/manifest.toml", "env/manifest.lock"};

std::string hash_of(std::string_view text) { return nix::to_base32(bytes_of(sha256(text))); }

// Read without following any link.
std::string content_of(const fs::path& environment) {
  const Directory files(environment / ".flox");
  std::string content;
  for (const char* name : content_files) {
    const std::string text = files.exists(name) ? files.read_file(name, max_content_file) : std::string();
    content += fmt::format("{} {}\n", name, files.exists(name) ? hash_of(text) : "-");
  }
  return hash_of(content);
}

std::string file_of(const fs::path& environment) { return hash_of(environment.native()) + ".json"; }

void write_decision(const fs::path& decisions, const fs::path& environment, const char* decision,
                    const std::string& content) {
  try {
    need_private_directory(decisions);
    const json document = {
        {"directory", to_base64url(environment.native())}, {"decision", decision}, {"content", content}};
    Directory(decisions).write_file(file_of(environment), document.dump(2) + "\n", 0600);
  } catch (const Error& error) {
    throw error.with_context("writing this user's decision on automatic activation")
        .with_advice("Set HOME or XDG_CONFIG_HOME to a directory that you can write to.");
  }
}

}  // namespace

Decisions Decisions::of_user() {
  if (const auto base = user_directory("XDG_CONFIG_HOME", ".config"))
    return Decisions(*base / "auto-activate");
  throw Error(ErrorKind::unavailable,
              "finding this user's decisions on automatic activation: no directory is named for them",
              "Set HOME or XDG_CONFIG_HOME to a directory that you can write to.");
}

void Decisions::allow(const fs::path& environment) const {
  if (const auto why = why_never(environment))
    throw Error(ErrorKind::untrusted,
                fmt::format("allowing {} to activate by itself: {}", environment.string(), *why),
                "Make it yours alone, or activate it with 'flox activate' when you need it.");
  write_decision(directory_, environment, "allow", content_of(environment));
}

void Decisions::deny(const fs::path& environment) const {
  write_decision(directory_, environment, "deny", "");
}

Decision Decisions::on(const fs::path& environment) const {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(directory_, error))) return Decision::none;
  if (const auto why = why_not_own(directory_))
    fail(ErrorKind::untrusted, "reading this user's decisions on automatic activation: {}", *why);
  const Directory files(directory_);
  const std::string file = file_of(environment);
  if (!files.exists(file)) return Decision::none;
  const json document = parse_json(files.read_file(file, max_decision), decision_text,
                                   {.bytes = max_decision, .depth = 4, .values = 100});
  if (string_member(document, "decision", decision_text) != "allow") return Decision::denied;
  return string_member(document, "content", decision_text) == content_of(environment) ? Decision::allowed
                                                                                      : Decision::changed;
}

std::optional<std::string> why_never(const fs::path& environment) {
  for (const fs::path& path : {environment, environment / ".flox", environment / ".flox/env"})
    if (auto why = why_not_own(path)) return why;
  for (const char* name : content_files) {
    const fs::path path = environment / ".flox" / name;
    std::error_code error;
    if (!fs::exists(fs::symlink_status(path, error))) continue;
    if (auto why = why_not_own(path)) return why;
  }
  return std::nullopt;
}

std::vector<fs::path> environments_above(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::path up = directory;; up = up.parent_path()) {
    if (fs::exists(fs::symlink_status(up / ".flox/env/manifest.toml", error))) found.push_back(up);
    if (!up.has_relative_path()) break;
  }
  std::ranges::reverse(found);
  return found;
}

std::string to_text(const std::set<std::string>& told) {
  json list = json::array();
  for (const std::string& text : told) list.push_back(to_base64url(text));
  return to_base64url(list.dump());
}

std::set<std::string> parse_told(std::string_view text) {
  std::set<std::string> told;
  if (text.empty()) return told;
  const json list =
      parse_json(from_base64url(text), state_text, {.bytes = max_state, .depth = 4, .values = 10'000});
  if (!list.is_array()) fail(ErrorKind::invalid_input, "{} is no list", state_text);
  for (const json& entry : list) {
    if (!entry.is_string()) fail(ErrorKind::invalid_input, "{} is no list of texts", state_text);
    told.insert(from_base64url(entry.get_ref<const std::string&>()));
  }
  return told;
}

std::string kept_by_prompt(Shell shell, const std::set<std::string>& told) {
  const std::string word = quoted(shell, to_text(told));
  return shell == Shell::fish ? fmt::format("set -g _flox_prompt_state {};\n", word)
                              : fmt::format("_flox_prompt_state={};\n", word);
}

std::string prompt_hook(Shell shell, const fs::path& flox) {
  const std::string program = quoted(shell, flox.native());
  switch (shell) {
    case Shell::bash:
      return fmt::format(
          "_flox_prompt() {{ local status=$?; eval \"$({} hook-env --shell bash "
          "\"${{_flox_prompt_state-}}\")\"; "
          "return $status; }};\n"
          "case \";${{PROMPT_COMMAND-}};\" in *';_flox_prompt;'*) ;; "
          "*) PROMPT_COMMAND=\"_flox_prompt${{PROMPT_COMMAND:+;$PROMPT_COMMAND}}\";; esac;\n",
          program);
    case Shell::zsh:
      return fmt::format(
          "_flox_prompt() {{ eval \"$({} hook-env --shell zsh \"${{_flox_prompt_state-}}\")\"; }};\n"
          "typeset -ag precmd_functions;\n"
          "if (( ! ${{precmd_functions[(I)_flox_prompt]}} )); then precmd_functions=(_flox_prompt "
          "$precmd_functions); "
          "fi;\n",
          program);
    case Shell::fish:
      return fmt::format(
          "function _flox_prompt --on-event fish_prompt; "
          "eval ({} hook-env --shell fish \"$_flox_prompt_state\" | string collect); end;\n",
          program);
    case Shell::tcsh:
    case Shell::sh:
      break;
  }
  return {};
}

}  // namespace flox::activation
