#include "base/command_line/completion.h"

#include <algorithm>
#include <optional>
#include <set>

namespace flox {
namespace {

std::map<const CLI::Option*, ValueSource>& value_sources() {
  static std::map<const CLI::Option*, ValueSource> sources;
  return sources;
}

bool is_shown(const CLI::Option* option) { return !option->get_group().empty(); }
bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }
// The option's own, and any number of times.
bool takes_many(const CLI::Option& option) {
  return option.get_items_expected_max() > std::max(1, option.get_type_size_max());
}

// "Add packages (default: all)" without what is long.
std::string short_meaning(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  std::ranges::replace(line, '\t', ' ');
  return line;
}

// "TEXT:{bash,fish,zsh}": the words of CLI::IsMember.
std::vector<std::string> members_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{'), end = type.find('}');
  std::vector<std::string> words;
  if (begin == std::string::npos || end == std::string::npos) return words;
  for (size_t at = begin + 1; at < end;) {
    const size_t next = std::min(type.find(',', at), end);
    words.push_back(type.substr(at, next - at));
    at = next + 1;
  }
  return words;
}

// What stands before the word that is typed.
class CommandLineSoFar {
 public:
  CommandLineSoFar(const CLI::App& app, const std::vector<std::string>& before) : command_(&app) {
    for (const std::string& word : before) take(word);
  }

  Completion complete(const std::string& word) const {
    Completion result;
    if (is_foreign_) {
      result.files = Completion::Files::files;
    } else if (waiting_ != nullptr) {
      add_values(*waiting_, "", word, result);
    } else if (const size_t equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
      if (const CLI::Option* option = find(word.substr(0, equals)))
        add_values(*option, word.substr(0, equals + 1), word.substr(equals + 1), result);
    } else if (word.starts_with('-') && !only_arguments_) {
      add_options(word, result);
    } else {
      if (arguments_ == 0) add_commands(word, result);
      if (const CLI::Option* argument = next_argument()) add_values(*argument, "", word, result);
      if (is_program_) result.files = Completion::Files::files;
    }
    return result;
  }

 private:
  void take(const std::string& word) {
    if (is_foreign_) return;
    if (waiting_ != nullptr) {
      give(*waiting_, word);
      if (--values_left_ == 0) waiting_ = nullptr;
    } else if (word == "--" && !only_arguments_) {
      only_arguments_ = true;
      is_program_ = next_argument() == nullptr || takes_many(*next_argument());
    } else if (word.size() > 1 && word[0] == '-' && !only_arguments_) {
      take_option(word);
    } else if (const CLI::App* child = arguments_ == 0 && !only_arguments_ ? child_named(word) : nullptr) {
      command_ = child;
      is_foreign_ = child->get_prefix_command() != 0;
    } else {
      ++arguments_;
    }
  }

  void take_option(const std::string& word) {
    const size_t equals = word.find('=');
    const bool is_short = word[1] != '-';
    const std::string name = is_short ? word.substr(0, 2) : word.substr(0, equals);
    const CLI::Option* option = find(name);
    if (option == nullptr) return;
    used_.insert(option);
    if (!takes_value(*option)) return;
    if (is_short && word.size() > 2)
      give(*option, word.substr(2));
    else if (!is_short && equals != std::string::npos)
      give(*option, word.substr(equals + 1));
    else
      waiting_ = option, values_left_ = std::max(1, option->get_type_size_min());
  }

  void give(const CLI::Option& option, const std::string& value) {
    for (const std::string& name : option.get_lnames()) given_["--" + name] = value;
    for (const std::string& name : option.get_snames()) given_["-" + name] = value;
  }

  // The command's own options, and those above that it hands on.
  std::vector<const CLI::Option*> options() const {
    std::vector<const CLI::Option*> found;
    for (const CLI::App* command = command_; command != nullptr; command = command->get_parent()) {
      for (const CLI::Option* option : command->get_options(is_shown)) found.push_back(option);
      if (!command->get_fallthrough()) break;
    }
    return found;
  }
  const CLI::Option* find(const std::string& name) const {
    for (const CLI::Option* option : options())
      if (option->nonpositional() && option->check_name(name)) return option;
    return nullptr;
  }
  const CLI::App* child_named(const std::string& name) const {
    const auto found =
        command_->get_subcommands([&](const CLI::App* child) { return child->check_name(name); });
    return found.empty() ? nullptr : found.front();
  }
  const CLI::Option* next_argument() const {
    size_t at = 0;
    for (const CLI::Option* option : command_->get_options(is_shown)) {
      if (!option->get_positional()) continue;
      if (at++ == arguments_ || takes_many(*option)) return option;
    }
    return nullptr;
  }

  static void add(const std::string& word, const std::string& meaning, const std::string& typed,
                  Completion& result) {
    if (!word.starts_with(typed) || word.find_first_of("\n\t") != std::string::npos) return;
    result.candidates.push_back({word, short_meaning(meaning)});
  }
  void add_commands(const std::string& typed, Completion& result) const {
    for (const CLI::App* child : command_->get_subcommands([](const CLI::App*) { return true; }))
      if (!child->get_group().empty()) add(child->get_name(), child->get_description(), typed, result);
  }
  void add_options(const std::string& typed, Completion& result) const {
    for (const CLI::Option* option : options()) {
      if (!option->nonpositional() || (used_.contains(option) && !takes_many(*option))) continue;
      for (const std::string& name : option->get_lnames())
        add("--" + name, option->get_description(), typed, result);
      if (typed == "-" || option->get_lnames().empty())
        for (const std::string& name : option->get_snames())
          add("-" + name, option->get_description(), typed, result);
    }
  }
  void add_values(const CLI::Option& option, const std::string& before, const std::string& typed,
                  Completion& result) const {
    const auto source = value_sources().find(&option);
    std::vector<std::string> words = members_of(option);
    if (source == value_sources().end()) {
      if (words.empty()) result.files = Completion::Files::files;
    } else {
      result.files = source->second.files;
      try {
        if (source->second.words) words = source->second.words(given_);
      } catch (const std::exception&) {
        words.clear();  // nobody reads a message in the middle of typing
      }
    }
    for (const std::string& word : words) add(before + word, "", before + typed, result);
  }

  const CLI::App* command_;
  const CLI::Option* waiting_ = nullptr;  // for so many values
  int values_left_ = 0;
  size_t arguments_ = 0;
  bool only_arguments_ = false;  // behind --
  bool is_program_ = false;      // the words behind -- are a program's
  bool is_foreign_ = false;      // another program's command line
  std::set<const CLI::Option*> used_;
  GivenOptions given_;
};

}  // namespace

void offer_values(const CLI::Option* option, ValueSource source) {
  value_sources().insert_or_assign(option, std::move(source));
}

void forget_offered_values() { value_sources().clear(); }

Completion complete_words(const CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty()) return CommandLineSoFar(app, {}).complete("");
  return CommandLineSoFar(app, {words.begin(), words.end() - 1}).complete(words.back());
}

std::string completion_text(const Completion& completion) {
  std::string text = completion.files == Completion::Files::files         ? "files\n"
                     : completion.files == Completion::Files::directories ? "directories\n"
                                                                          : "none\n";
  for (const auto& [word, meaning] : completion.candidates) text += word + "\t" + meaning + "\n";
  return text;
}

}  // namespace flox
