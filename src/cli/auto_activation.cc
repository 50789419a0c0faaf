// flox activate allow, deny and hook, and flox hook-env, which the shell's prompt calls.
#include "cli/auto_activation.h"

#include <algorithm>
#include <memory>
#include <set>

#include "activation/auto_activation.h"
#include "activation/undo.h"
#include "activation/user_shell.h"
#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/process.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/say.h"
#include "env/activation.h"
#include "env/environment.h"

namespace flox::cli {
namespace {

using activation::Decision;
using activation::Shell;

namespace fs = std::filesystem;

fs::path own_program() { return fs::read_symlink("/proc/self/exe"); }

Shell shell_by_name(const std::string& name) {
  if (name.empty()) return activation::shell_of_caller(environment_for_children());
  if (const auto shell = activation::shell_named(name)) return *shell;
  fail_usage(fmt::format("no shell '{}'", printable(name, 60)), "Use one of bash, zsh, fish.");
}

std::string evaluated(const std::string& command) { return fmt::format("eval \"$({})\";\n", command); }

// The state that a shell's prompt is to come to.
class Prompt {
 public:
  Prompt(Shell shell, std::set<std::string> told) : shell_(shell), told_(std::move(told)), before_(told_) {}

  std::string code() {
    const std::vector<fs::path> here = activation::environments_above(fs::current_path());
    std::erase_if(told_, [&](const std::string& entry) {
      const std::string directory = entry.substr(entry.find(' ') + 1);
      return std::ranges::find(here, fs::path(directory)) == here.end();
    });
    std::string text = leave(here);
    for (const fs::path& directory : here) text += enter(directory);
    if (told_ != before_) text += activation::kept_by_prompt(shell_, told_);
    return text;
  }

 private:
  // Those that were activated last and by themselves, and whose directory the shell has left.
  std::string leave(const std::vector<fs::path>& here) const {
    std::string text;
    size_t leaving = 0;
    while (leaving < layers_.size() && layers_[leaving].automatic) ++leaving;
    while (leaving > 0 && is_above(here, layers_[leaving - 1].project)) --leaving;
    for (; leaving > 0; --leaving) text += evaluated(program() + " deactivate");
    return text;
  }

  std::string enter(const fs::path& directory) {
    if (env::active_mode(now_, directory)) return {};
    if (const auto why = activation::why_never(directory)) {
      // Nothing is read of it.
      tell("never", directory,
           fmt::format("the environment in {} is not activated by itself: {}", printable(directory.native()),
                       printable(*why)));
      return {};
    }
    switch (activation::Decisions::of_user().on(directory)) {
      case Decision::allowed:
        if (!told_.insert("allowed " + directory.native()).second) return {};
        return evaluated(fmt::format("{} activate --automatic -d {}", program(),
                                     activation::quoted(shell_, directory.native())));
      case Decision::none:
        tell("none", directory,
             fmt::format(
                 "there is an environment in {}. 'flox activate allow' lets it activate by itself, 'flox "
                 "activate deny' ends this message",
                 printable(directory.native())));
        break;
      case Decision::changed:
        tell("changed", directory,
             fmt::format("the environment in {} has changed since it was allowed to activate by itself. Look "
                         "at it, then "
                         "run 'flox activate allow'",
                         printable(directory.native())));
        break;
      case Decision::denied:
        break;
    }
    return {};
  }

  void tell(const std::string& what, const fs::path& directory, const std::string& message) {
    if (told_.insert(what + " " + directory.native()).second) say("ℹ {}\n", message);
  }

  static bool is_above(const std::vector<fs::path>& here, const std::string& project) {
    return std::ranges::find(here, fs::path(project)) != here.end();
  }
  std::string program() const { return activation::quoted(shell_, own_program().native()); }

  Shell shell_;
  std::set<std::string> told_;
  std::set<std::string> before_;
  env::Variables now_ = environment_for_children();
  std::vector<activation::Undo> layers_ = activation::active_layers(now_);
};

}  // namespace

void add_activate_allow(CLI::App& activate) {
  auto directory = std::make_shared<std::string>(".");
  auto* command =
      activate.add_subcommand("allow", "Let an environment activate when a shell enters its directory");
  add_directory(*command, *directory);
  command->footer(
      "For the content that its manifest and lock have now: once they change it has to be allowed again. The "
      "shell\n"
      "needs 'flox activate hook'.\n\nExample:\n  flox activate allow");
  command->callback([directory] {
    const env::Environment environment = env::Environment::find(*directory);
    activation::Decisions::of_user().allow(environment.directory());
    say("✔ environment '{}' in {} activates by itself\n", environment.name(),
        printable(environment.directory().native()));
  });
}

void add_activate_deny(CLI::App& activate) {
  auto directory = std::make_shared<std::string>(".");
  auto* command =
      activate.add_subcommand("deny", "Do not let an environment activate by itself, nor ask for it");
  add_directory(*command, *directory);
  command->footer("Example:\n  flox activate deny");
  command->callback([directory] {
    const env::Environment environment = env::Environment::find(*directory);
    activation::Decisions::of_user().deny(environment.directory());
    say("✔ environment '{}' in {} does not activate by itself\n", environment.name(),
        printable(environment.directory().native()));
  });
}

void add_activate_hook(CLI::App& activate) {
  auto name = std::make_shared<std::string>();
  auto* command =
      activate.add_subcommand("hook", "Print code for a shell that activates allowed environments");
  command->add_option("SHELL", *name, "bash, zsh or fish (default: the calling shell)");
  command->footer(
      "In ~/.bashrc or ~/.zshrc: eval \"$(flox activate hook)\"; in config.fish: flox activate hook fish | "
      "source\n\n"
      "Example:\n  eval \"$(flox activate hook bash)\"");
  command->callback([name] {
    const std::string code = activation::prompt_hook(shell_by_name(*name), own_program());
    if (code.empty())
      throw Error(ErrorKind::invalid_input, "activating by itself: this shell has no place for it",
                  "Use bash, zsh or fish, or run 'flox activate'.");
    fmt::print("{}", code);
  });
}

void add_hook_env(CLI::App& app) {
  struct HookEnvOptions {
    std::string shell;
    std::string state;
  };
  auto options = std::make_shared<HookEnvOptions>();
  auto* command =
      app.add_subcommand("hook-env", "Print code for a shell's prompt (called by 'flox activate hook')");
  command->group("");
  command->add_option("--shell", options->shell, "bash, zsh or fish");
  command->add_option("STATE", options->state, "what the last call said is to be kept");
  command->footer("Example:\n  flox hook-env --shell bash");
  command->callback([options] {
    fmt::print("{}", Prompt(shell_by_name(options->shell), activation::parse_told(options->state)).code());
  });
}

}  // namespace flox::cli
