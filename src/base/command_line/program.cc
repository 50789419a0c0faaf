#include "base/command_line/program.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "base/command_line/help_formatter.h"
#include "base/nearest.h"

namespace flox {
namespace {

void set_formatter(CLI::App& app, const std::shared_ptr<HelpFormatter>& formatter) {
  app.formatter(formatter);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    set_formatter(*command, formatter);
}

// The command that the command line has come to: "gc" of "flox store gc --max-freed".
const CLI::App& innermost(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : innermost(*parsed.back());
}

// Words that no command takes, outermost command first.
std::vector<std::string> unknown_words(const CLI::App& app) {
  std::vector<std::string> words = app.remaining();
  std::erase(words, "--");
  for (const CLI::App* command : app.get_subcommands())
    for (std::string& word : unknown_words(*command)) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> commands_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (child->get_group().empty()) continue;
    names.push_back(child->get_name());
    for (const std::string& alias : child->get_aliases()) names.push_back(alias);
  }
  return names;
}

// The command's own options and those of the commands that it is part of.
std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> names;
  if (command.get_parent() != nullptr) names = options_of(*command.get_parent());
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* each) { return !each->get_group().empty(); })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// The option is of a command above this one, which takes it only right behind itself; nothing if it is not.
std::optional<std::string> place_of(const std::string& option, const CLI::App& command) {
  const CLI::App* below = &command;
  for (const CLI::App* above = command.get_parent(); above != nullptr; above = above->get_parent()) {
    if (above->get_option_no_throw(option) != nullptr)
      return fmt::format("{} is an option of '{}': write it before '{}'.", option, full_name(*above),
                         below->get_name());
    below = above;
  }
  return std::nullopt;
}

std::string with_nearest(const std::vector<std::string>& nearest, const std::string& advice) {
  if (nearest.empty()) return advice;
  return fmt::format("Did you mean {}? {}", fmt::join(nearest, " or "), advice);
}

// CLI11's sentence in our words.
std::string in_our_words(const CLI::ParseError& error) {
  const std::string text = error.what();
  const auto parts = [&](std::string_view separator) {
    const size_t at = text.find(separator);
    return at == std::string::npos ? std::pair(text, std::string())
                                   : std::pair(text.substr(0, at), text.substr(at + separator.size()));
  };
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && text.ends_with(" is required"))
    return parts(" is required").first + " is missing";
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr)
    return fmt::format("{} cannot be used together with {}", parts(" excludes ").first,
                       parts(" excludes ").second);
  if (dynamic_cast<const CLI::RequiresError*>(&error) != nullptr)
    return fmt::format("{} needs {}", parts(" requires ").first, parts(" requires ").second);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && text.ends_with(" missing"))
    return parts(": ").first + " needs a value";
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr &&
      text.starts_with("Could not convert: ")) {
    const auto [name, value] = parts(" = ");
    return fmt::format("{}: '{}' is not a number", name.substr(std::string("Could not convert: ").size()),
                       value);
  }
  return text;
}

// The command at whose place `word` stands: CLI11 hands what a command does not know on to those above it.
const CLI::App& command_before(const std::string& word, const CLI::App& app,
                               const std::vector<std::string>& arguments) {
  const CLI::App* command = &app;
  for (const std::string& argument : arguments) {
    if (argument == word) break;
    const auto parsed = command->get_subcommands();
    const auto next =
        std::ranges::find(parsed, argument, [](const CLI::App* sub) { return sub->get_name(); });
    if (next != parsed.end()) command = *next;
  }
  return *command;
}

ExitError usage_error(const CLI::App& app, const CLI::ParseError& error,
                      const std::vector<std::string>& arguments) {
  const std::vector<std::string> words = unknown_words(app);
  const CLI::App& command = words.empty() ? innermost(app) : command_before(words[0], app, arguments);
  const std::string name = full_name(command);
  const std::vector<std::string> commands = commands_of(command);
  const std::string see_help =
      fmt::format("Run '{} --help' to see its {}.", name,
                  commands.empty() ? "arguments and options" : "commands and options");
  const auto usage = [&](const std::string& what, const std::string& advice) {
    return ExitError(exit_usage, Error(ErrorKind::invalid_input, fmt::format("{}: {}", name, what), advice));
  };
  if (!words.empty() && words[0].size() > 1 && words[0][0] == '-') {
    const std::string option = words[0].substr(0, words[0].find('='));
    if (const auto place = place_of(option, command))
      return usage(fmt::format("{} does not stand here", option), *place);
    return usage(fmt::format("unknown option '{}'", option),
                 with_nearest(nearest_names(option, options_of(command)), see_help));
  }
  if (!words.empty() && !commands.empty())
    return usage(fmt::format("unknown command '{}'", words[0]),
                 with_nearest(nearest_names(words[0], commands), see_help));
  if (!words.empty()) return usage(fmt::format("unexpected argument '{}'", words[0]), see_help);
  if (!commands.empty() && command.get_require_subcommand_min() > 0 &&
      dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    return usage("no command given", see_help);
  return usage(in_our_words(error), see_help);
}

const CLI::App* child_of(const CLI::App& command, const std::string& name) {
  const auto found = command.get_subcommands([&](const CLI::App* child) { return child->check_name(name); });
  return found.empty() ? nullptr : found.front();
}

// "help yank" as "yank --help", where a program has commands, and none of that name.
std::vector<std::string> with_help_option(const CLI::App& app, const std::vector<std::string>& arguments) {
  const bool has_commands = !commands_of(app).empty();
  if (arguments.empty() || arguments[0] != "help" || !has_commands || child_of(app, "help")) return arguments;
  std::vector<std::string> words(arguments.begin() + 1, arguments.end());
  const CLI::App* command = &app;
  for (const std::string& word : words) {
    if (word.starts_with('-')) break;
    const CLI::App* next = child_of(*command, word);
    if (next == nullptr)
      fail_usage(fmt::format("{}: unknown command '{}'", full_name(*command), word),
                 with_nearest(nearest_names(word, commands_of(*command)),
                              fmt::format("Run '{} --help' to see its commands.", full_name(*command))));
    command = next;
  }
  words.emplace_back("--help");
  return words;
}

// What was printed is out, or an error: a full disk, a closed descriptor.
void finish_output() {
  errno = 0;
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good()) return;
  if (errno != 0) fail_errno(errno, "writing to standard output");
  throw Error(ErrorKind::unavailable, "writing to standard output: not everything could be written");
}

// What was printed before stands before the error, also where both go to one file.
int print_and_choose_code(const std::exception& error) {
  const bool could_write = std::ferror(stdout) == 0;
  std::cout.flush();
  std::fflush(stdout);
  // fmt::print throws std::system_error when a buffer that is full cannot be written.
  if (const auto* system = dynamic_cast<const std::system_error*>(&error); system && !could_write)
    print_error(Error(ErrorKind::unavailable,
                      fmt::format("writing to standard output: {}", system->code().message())));
  else
    print_error(error);
  const auto* with_code = dynamic_cast<const ExitError*>(&error);
  return with_code == nullptr ? exit_failure : with_code->exit_code();
}

}  // namespace

std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? command.get_name()
                                         : full_name(*command.get_parent()) + " " + command.get_name();
}

void fail_usage(std::string message, std::string advice) {
  throw ExitError(exit_usage, Error(ErrorKind::invalid_input, std::move(message), std::move(advice)));
}

int run_program(const std::function<int()>& body) {
  int code = 0;
  try {
    code = body();
  } catch (const std::exception& error) {
    code = print_and_choose_code(error);
  }
  try {
    finish_output();
  } catch (const Error& error) {
    if (code == 0) print_error(error);
    if (code == 0) code = exit_failure;
  }
  return code;
}

int run_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                     const std::function<int()>& work) {
  set_formatter(app, std::make_shared<HelpFormatter>());
  const std::vector<std::string> words = with_help_option(app, arguments);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // as CLI11 takes them
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::Success& request) {  // --help, --version
    // Through stdio: a stream of C++ forgets why it could not write.
    std::ostringstream text;
    const int code = app.exit(request, text, text);
    errno = 0;
    if (std::fputs(text.str().c_str(), stdout) == EOF && errno != 0)
      fail_errno(errno, "writing to standard output");
    return code;
  } catch (const CLI::ParseError& error) {
    throw usage_error(app, error, words);
  }
  return work ? work() : 0;
}

int run_command_line(CLI::App& app, int argc, char** argv, const std::function<int()>& work) {
  return run_command_line(app, std::vector<std::string>(argv + 1, argv + argc), work);
}

}  // namespace flox
