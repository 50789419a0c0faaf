#include "base/command_line/help_formatter.h"

#include <fmt/format.h>

namespace flox {
namespace {

std::string without(std::string text, std::string_view part) {
  for (size_t at = 0; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
  return text;
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
  for (size_t at = 0; (at = text.find("\n\n\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  const bool shows_commands =
      !app->get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); }).empty();
  std::string text = CLI::Formatter::make_usage(app, std::move(name));
  return shows_commands ? text : without(std::move(text), " [SUBCOMMAND]");
}

std::string HelpFormatter::make_option_name(const CLI::Option* option, bool is_positional) const {
  return without(CLI::Formatter::make_option_name(option, is_positional), "{false}");
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  std::string text = CLI::Formatter::make_option_opts(option);
  const std::string type = option->get_type_name();
  const size_t range = type.find(" in [");
  const size_t at = text.find(type);
  if (range == std::string::npos || !type.ends_with("]") || at == std::string::npos) return text;
  const std::string limits = without(type.substr(range + 5, type.size() - range - 6), " ");
  return text.replace(at, type.size(), fmt::format("INT({})", limits));
}

}  // namespace flox
