#include "activation/user_shell.h"

#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/kept_directory.h"

namespace flox::activation {
namespace {

std::optional<UserShell> as_shell(const fs::path& program) {
  const auto kind = shell_named(program);
  if (!kind || program.is_relative() || ::access(program.c_str(), X_OK) != 0) return std::nullopt;
  return UserShell{.kind = *kind, .program = program};
}

constexpr std::string_view posix_prompt = "PS1=\"flox [$FLOX_PROMPT_ENVIRONMENTS] $PS1\"\n";

std::string remove_files(const fs::path& directory) {
  return "rm -rf " + quoted(Shell::sh, directory.native()) + "\n";
}

// zsh reads its files in $ZDOTDIR: ours, which read the user's.
void write_zsh_files(const fs::path& directory, const ShellScript& script) {
  const std::string own = env::value_of(script.before, "ZDOTDIR");
  constexpr const char* restore =
      "if [ -n \"$_flox_zdotdir\" ]; then export ZDOTDIR=\"$_flox_zdotdir\"; else unset ZDOTDIR; fi\n";
  auto read_own = [](const char* name) {
    return fmt::format("[ -f \"${{ZDOTDIR:-$HOME}}/{}\" ] && . \"${{ZDOTDIR:-$HOME}}/{}\"\n", name, name);
  };
  // The user's .zshenv may set it.
  write_file(directory / ".zshenv",
             fmt::format("_flox_zdotdir={}\n{}{}_flox_zdotdir=\"$ZDOTDIR\"\nexport ZDOTDIR={}\n",
                         quoted(Shell::zsh, own), restore, read_own(".zshenv"),
                         quoted(Shell::zsh, directory.native())),
             0600);
  write_file(directory / ".zshrc",
             fmt::format("{}unset _flox_zdotdir\n{}{}{}{}", restore, remove_files(directory),
                         read_own(".zshrc"), after_own_files(script), posix_prompt),
             0600);
}

// tcsh reads its files in the home directory: ours, which read the user's.
void write_tcsh_files(const fs::path& directory, const ShellScript& script) {
  const std::string home = quoted(Shell::tcsh, env::value_of(script.before, "HOME"));
  write_file(directory / ".tcshrc",
             fmt::format("set home = {}\nsetenv HOME {}\n{}"
                         "if ( -f ~/.tcshrc ) then\n  source ~/.tcshrc\nelse if ( -f ~/.cshrc ) then\n"
                         "  source ~/.cshrc\nendif\n{}"
                         "if ( $?prompt ) set prompt = \"flox [$FLOX_PROMPT_ENVIRONMENTS] $prompt:q\"\n",
                         home, home, remove_files(directory), after_own_files(script)),
             0600);
}

constexpr const char* fish_prompt =
    "functions -q fish_prompt; and functions -c fish_prompt _flox_own_prompt;\n"
    "function fish_prompt\n"
    "  echo -n \"flox [$FLOX_PROMPT_ENVIRONMENTS] \"\n"
    "  functions -q _flox_own_prompt; and _flox_own_prompt\n"
    "end\n";

}  // namespace

UserShell bash_or_sh(const env::Variables& environment) {
  for (const Shell shell : {Shell::bash, Shell::sh})
    if (auto program = env::find_command(std::string(name_of(shell)), environment))
      return {.kind = shell, .program = *program};
  throw Error(ErrorKind::not_found, "neither bash nor sh is in PATH", "Install bash into the environment.");
}

UserShell shell_to_start(const env::Variables& environment) {
  for (const char* name : {"FLOX_SHELL", "SHELL"})
    if (auto shell = as_shell(env::value_of(environment, name))) return *shell;
  return in_context("starting a shell", [&] { return bash_or_sh(environment); });
}

Shell shell_of_caller(const env::Variables& environment) {
  if (const auto asked = shell_named(env::value_of(environment, "FLOX_SHELL"))) return *asked;
  std::error_code error;
  const fs::path parent = fs::read_symlink(fmt::format("/proc/{}/exe", ::getppid()), error);
  if (!error)
    if (const auto found = shell_named(parent)) return *found;
  return shell_named(env::value_of(environment, "SHELL")).value_or(Shell::bash);
}

std::vector<std::string> to_run(const UserShell& shell, const fs::path& profile, const std::string& command) {
  return {shell.program.filename(), "-c", profile_scripts(shell.kind, profile) + command};
}

Interactive to_interact(const UserShell& shell, const ShellScript& script) {
  Interactive result{.argv = {shell.program.filename()}, .environment = script.after};
  if (shell.kind == Shell::fish) {
    result.argv.insert(result.argv.end(), {"-i", "-C", after_own_files(script) + fish_prompt});
    return result;
  }
  const fs::path directory = make_kept_directory("flox-rc-");
  if (shell.kind == Shell::zsh) {
    write_zsh_files(directory, script);
    result.environment["ZDOTDIR"] = directory;
    result.argv.emplace_back("-i");
    return result;
  }
  if (shell.kind == Shell::tcsh) {
    write_tcsh_files(directory, script);
    result.environment["HOME"] = directory;
    return result;
  }
  const fs::path rc = directory / "rc";
  const std::string own = env::value_of(script.before, "ENV");
  std::string text = remove_files(directory);
  if (shell.kind == Shell::bash) {
    text += "[ -f ~/.bashrc ] && . ~/.bashrc\n";
    result.argv.insert(result.argv.end(), {"--rcfile", rc, "-i"});
  } else {
    text += own.empty()
                ? "unset ENV\n"
                : fmt::format("export ENV={}\n[ -f \"$ENV\" ] && . \"$ENV\"\n", quoted(Shell::sh, own));
    result.environment["ENV"] = rc;
    result.argv.emplace_back("-i");
  }
  write_file(rc, text + after_own_files(script) + std::string(posix_prompt), 0600);
  return result;
}

}  // namespace flox::activation
