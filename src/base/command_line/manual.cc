#include "base/command_line/manual.h"

#include <algorithm>

#include "base/command_line/help_formatter.h"
#include "base/command_line/program.h"

namespace flox {
namespace {

// Text as man(7) takes it: none of it is a request or an escape sequence.
std::string roff(std::string_view text) {
  std::string result;
  for (const char c : text) switch (c) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      case '"':
        result += "\\(dq";
        break;
      default:
        result += c;
    }
  if (result.starts_with('.')) result.insert(0, "\\&");
  return result;
}

std::string heading(std::string_view title) { return fmt::format(".SH {}\n", title); }

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

// "Examples:\n  …" and paragraphs, as the footer of a help has them: lines that begin with spaces stay as
// they are.
class Footer {
 public:
  explicit Footer(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      take(line);
    }
    end_block();
  }
  std::string description, examples;

 private:
  void take(std::string_view line) {
    const bool begins_examples = line == "Examples:" || line == "Example:";
    if (begins_examples || (!line.starts_with(' ') && !line.empty())) end_block();
    if (begins_examples)
      target_ = &examples;
    else if (line.starts_with("  "))
      take_kept(line.substr(2));
    else if (line.empty())
      *target_ += is_kept_ ? "\n" : target_->empty() ? "" : ".PP\n";
    else if (!line.empty())
      target_ = &description, *target_ += roff(line) + "\n";
  }
  void take_kept(std::string_view line) {
    if (!is_kept_) *target_ += ".RS 4\n.nf\n";
    is_kept_ = true;
    *target_ += roff(line) + "\n";
  }
  void end_block() {
    if (is_kept_) {
      while (target_->ends_with("\n\n")) target_->pop_back();
      *target_ += ".fi\n.RE\n";
    }
    is_kept_ = false;
  }

  std::string* target_ = &description;
  bool is_kept_ = false;
};

std::vector<const CLI::App*> children(const CLI::App& command) {
  std::vector<const CLI::App*> found;
  for (const CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; }))
    if (!child->get_group().empty()) found.push_back(child);
  return found;
}

// The first line of a description, and what follows.
std::pair<std::string, std::string> first_line(const std::string& text) {
  const size_t end = text.find('\n');
  return {text.substr(0, end), end == std::string::npos ? "" : text.substr(end + 1)};
}

// The name and the values of an option in one line: "-d, --dir TEXT".
std::string option_line(const CLI::Option* option, bool is_argument) {
  const HelpFormatter formatter;
  std::string names = formatter.make_option_name(option, is_argument);
  for (size_t at = 0; (at = names.find(',', at)) != std::string::npos; at += 2) names.replace(at, 1, ", ");
  return fmt::format("\\fB{}\\fR{}", roff(names), roff(formatter.make_option_opts(option)));
}

std::string options_of_kind(const CLI::App& command, bool are_arguments) {
  std::string text;
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* each) { return !each->get_group().empty(); }))
    if (option->get_positional() == are_arguments)
      text += ".TP\n" + option_line(option, are_arguments) + "\n" + roff(option->get_description()) + "\n";
  return text;
}

std::string synopsis(const CLI::App& command) {
  std::string text = fmt::format("\\fB{}\\fR", roff(full_name(command)));
  if (command.get_parent() == nullptr || !options_of_kind(command, false).empty())
    text += " [\\fIOPTIONS\\fR]";
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    std::string name = roff(option->get_name(true));
    if (option->get_items_expected_max() > 1) name += "...";
    text += option->get_required() ? fmt::format(" \\fI{}\\fR", name) : fmt::format(" [\\fI{}\\fR]", name);
  }
  if (!children(command).empty()) text += " \\fICOMMAND\\fR";
  return text + "\n";
}

std::string reference_to(const CLI::App& command, int section) {
  return fmt::format(".BR {} ({})", roff(manual_name(command)), section);
}

std::string see_also(const CLI::App& command, int section) {
  std::vector<std::string> others;
  if (command.get_parent() != nullptr) others.push_back(reference_to(*command.get_parent(), section));
  for (const CLI::App* child : children(command)) others.push_back(reference_to(*child, section));
  return others.empty() ? "" : heading("SEE ALSO") + fmt::format("{}\n", fmt::join(others, ",\n"));
}

}  // namespace

std::string manual_name(const CLI::App& command) {
  std::string name = full_name(command);
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string manual_page(const CLI::App& command, int section) {
  const auto [what, more] = first_line(command.get_description());
  const Footer footer(command.get_footer());
  std::string text = fmt::format(".TH {} {} \"\" \"flox\\-imageless {}\" \"flox\"\n",
                                 roff(upper(manual_name(command))), section, FLOX_VERSION);
  text += heading("NAME") + fmt::format("{} \\- {}\n", roff(manual_name(command)), roff(what));
  text += heading("SYNOPSIS") + synopsis(command);
  if (const std::string description = (more.empty() ? "" : roff(more) + "\n") + footer.description;
      !description.empty())
    text += heading("DESCRIPTION") + description;
  if (const std::string arguments = options_of_kind(command, true); !arguments.empty())
    text += heading("ARGUMENTS") + arguments;
  if (const std::string options = options_of_kind(command, false); !options.empty())
    text += heading("OPTIONS") + options;
  if (const auto commands = children(command); !commands.empty()) {
    text += heading("COMMANDS");
    for (const CLI::App* child : commands)
      text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(child->get_name()),
                          roff(first_line(child->get_description()).first));
  }
  if (!footer.examples.empty()) text += heading("EXAMPLES") + footer.examples;
  return text + see_also(command, section);
}

std::vector<const CLI::App*> commands_with_pages(const CLI::App& app) {
  std::vector<const CLI::App*> found{&app};
  for (const CLI::App* child : children(app))
    if (child->get_help_ptr() != nullptr)
      for (const CLI::App* below : commands_with_pages(*child)) found.push_back(below);
  return found;
}

}  // namespace flox
