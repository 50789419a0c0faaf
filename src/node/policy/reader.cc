#include "node/policy/reader.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/data/toml.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "nix/store_path.h"

namespace flox::policy {
namespace {

constexpr size_t largest_file = 1 << 20;  // bytes
constexpr size_t most_rules = 1'000;
constexpr size_t most_patterns = 20'000;  // of all rules
constexpr size_t longest_name = 64;
constexpr size_t longest_reason = 300;

// One table of the file, whose keys are taken one after the other.
class Table {
 public:
  using Key = std::function<void(const toml::node&)>;
  Table(const toml::table& table, const std::string& file) : table_(table), file_(file) {}

  // Calls the reader of every key that is there; what has no reader is refused.
  void read(const std::map<std::string, Key>& keys) const {
    for (const auto& [key, node] : table_) {
      const auto reader = keys.find(std::string(key.str()));
      if (reader == keys.end()) refuse_key(key, keys);
      // What is wrong in a list says its own place (Patterns).
      if (node.is_array())
        reader->second(node);
      else
        in_context(fmt::format("{}: {}", place(node.source().begin), key.str()),
                   [&] { reader->second(node); });
    }
  }
  [[noreturn]] void refuse(const std::string& text) const {
    fail(ErrorKind::invalid_input, "{}: {}", place(table_.source().begin), text);
  }
  size_t line() const { return table_.source().begin.line; }

 private:
  std::string place(const toml::source_position& at) const {
    return fmt::format("{}:{}:{}", file_, at.line, at.column);
  }
  [[noreturn]] void refuse_key(const toml::key& key, const std::map<std::string, Key>& keys) const {
    std::vector<std::string> names;
    for (const auto& [name, reader] : keys) names.push_back(name);
    const std::vector<std::string> nearest = nearest_names(key.str(), names);
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("{}: unknown key '{}'", place(key.source().begin), printable(key.str(), longest_name)),
        nearest.empty() ? fmt::format("Use one of {}.", fmt::join(names, ", "))
                        : fmt::format("Did you mean {}?", fmt::join(nearest, " or ")));
  }
  const toml::table& table_;
  const std::string& file_;
};

std::string text_of(const toml::node& node) {
  const auto* text = node.as_string();
  if (text == nullptr) fail(ErrorKind::invalid_input, "a string is needed");
  return text->get();
}

bool truth_of(const toml::node& node) {
  const auto* truth = node.as_boolean();
  if (truth == nullptr) fail(ErrorKind::invalid_input, "true or false is needed");
  return truth->get();
}

// A size or a duration: a string, or a whole number.
std::string amount_of(const toml::node& node) {
  const auto* number = node.as_integer();
  return number == nullptr ? text_of(node) : std::to_string(number->get());
}

StoreView view_of(const toml::node& node) {
  const std::string text = text_of(node);
  for (const StoreView view : {StoreView::node, StoreView::closure})
    if (text == to_string(view)) return view;
  fail(ErrorKind::invalid_input, "'{}' is not node or closure", printable(text, longest_name));
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= longest_name && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::string name_of(const toml::node& node) {
  std::string name = text_of(node);
  if (!is_name(name))
    fail(ErrorKind::invalid_input,
         "'{}' cannot be a rule's name: it has letters, digits, '-', '_' and '.', at most {}",
         printable(name, longest_name), longest_name);
  return name;
}

// Lists of patterns, and how many all rules have together.
class Patterns {
 public:
  explicit Patterns(const std::string& file) : file_(file) {}
  std::vector<Pattern> names(const toml::node& node) {
    return each<Pattern>(node, [](std::string text) {
      Pattern pattern(std::move(text));
      if (pattern.text().find('/') != std::string::npos)
        fail(ErrorKind::invalid_input, "'{}' has a '/', which no such name has", pattern.text());
      return pattern;
    });
  }
  // Namespaces and the like, of which an empty list would make a rule for nobody.
  std::vector<Pattern> some_names(const toml::node& node) {
    std::vector<Pattern> patterns = names(node);
    if (patterns.empty())
      fail(ErrorKind::invalid_input, "{}: an empty list: leave the key out, or name some", place(node));
    return patterns;
  }
  // NAME or NAME@CONSTRAINT.
  std::vector<Choice> packages(const toml::node& node) {
    return each<Choice>(node, [](const std::string& text) {
      Choice choice = choice_of(text, '@');
      if (choice.name.text().find('/') != std::string::npos)
        fail(ErrorKind::invalid_input, "'{}' is not a package: name environments in 'environments'", text);
      return choice;
    });
  }
  // OWNER/NAME or OWNER/NAME:GENERATIONS.
  std::vector<Choice> environments(const toml::node& node) {
    return each<Choice>(node, [](const std::string& text) {
      Choice choice = choice_of(text, ':');
      if (std::ranges::count(choice.name.text(), '/') != 1)
        fail(ErrorKind::invalid_input, "'{}' is not OWNER/NAME: name packages in 'packages'", text);
      return choice;
    });
  }
  // With or without /nix/store/ in front.
  std::vector<Pattern> store_paths(const toml::node& node) {
    return each<Pattern>(node, [](std::string text) {
      const std::string directory = std::string(nix::store_dir) + "/";
      if (text.starts_with(directory)) text.erase(0, directory.size());
      Pattern pattern(std::move(text));
      if (pattern.text().find('/') != std::string::npos)
        fail(ErrorKind::invalid_input, "'{}' is not a store path: {}HASH-NAME", pattern.text(), directory);
      return pattern;
    });
  }

 private:
  template <typename T, typename Make>
  std::vector<T> each(const toml::node& node, Make make) {
    const auto* list = node.as_array();
    if (list == nullptr) fail(ErrorKind::invalid_input, "a list of strings is needed");
    std::vector<T> values;
    for (const auto& item : *list) {
      if (++count_ > most_patterns)
        fail(ErrorKind::invalid_input, "{}: more than {} patterns in all rules", place(item), most_patterns);
      in_context(place(item), [&] { values.push_back(make(text_of(item))); });
    }
    return values;
  }
  static Choice choice_of(const std::string& text, char separator) {
    const size_t at = text.find(separator);
    Choice choice{Pattern(text.substr(0, at)), {}, {}};
    if (at == std::string::npos) return choice;
    choice.constraint = text.substr(at + 1);
    if (choice.constraint.empty())
      fail(ErrorKind::invalid_input, "'{}' has nothing behind '{}'", text, separator);
    choice.versions.emplace(choice.constraint);
    return choice;
  }
  std::string place(const toml::node& node) const {
    return fmt::format("{}:{}:{}", file_, node.source().begin.line, node.source().begin.column);
  }
  const std::string& file_;
  size_t count_ = 0;
};

// The keys that both kinds of rules have.
std::map<std::string, Table::Key> keys_of(Rule& rule, Patterns& patterns) {
  return {
      {"name", [&](const toml::node& node) { rule.name = name_of(node); }},
      {"namespaces", [&](const toml::node& node) { rule.pods.namespaces = patterns.some_names(node); }},
      {"service_accounts",
       [&](const toml::node& node) { rule.pods.service_accounts = patterns.some_names(node); }},
      {"owners", [&](const toml::node& node) { rule.things.owners = patterns.names(node); }},
      {"environments",
       [&](const toml::node& node) { rule.things.environments = patterns.environments(node); }},
      {"packages", [&](const toml::node& node) { rule.things.packages = patterns.packages(node); }},
      {"store_paths", [&](const toml::node& node) { rule.things.store_paths = patterns.store_paths(node); }}};
}

void check_rule(const Table& table, Rule& rule) {
  if (rule.name.empty()) table.refuse("a rule without a name");
  rule.line = table.line();
}

Allow read_allow(const Table& table, Patterns& patterns) {
  Allow rule;
  auto keys = keys_of(rule, patterns);
  keys["signers"] = [&](const toml::node& node) { rule.signers = patterns.some_names(node); };
  keys["install"] = [&](const toml::node& node) { rule.install = truth_of(node); };
  keys["prefetch"] = [&](const toml::node& node) { rule.prefetch = truth_of(node); };
  keys["nix_mutable"] = [&](const toml::node& node) { rule.nix_mutable = truth_of(node); };
  keys["store_view"] = [&](const toml::node& node) { rule.store_view = view_of(node); };
  keys["closure_size"] = [&](const toml::node& node) {
    rule.closure_size = parse_size(amount_of(node));
    if (*rule.closure_size == 0) fail(ErrorKind::invalid_input, "0: leave the key out for no limit");
  };
  keys["realise_time"] = [&](const toml::node& node) {
    rule.realise_time = parse_duration(amount_of(node));
    if (rule.realise_time->count() <= 0) fail(ErrorKind::invalid_input, "0: leave the key out for no limit");
  };
  table.read(keys);
  check_rule(table, rule);
  if (rule.pods.namespaces.empty())
    table.refuse(fmt::format("rule '{}' has no namespaces: [\"*\"] are all", rule.name));
  return rule;
}

Deny read_deny(const Table& table, Patterns& patterns) {
  Deny rule;
  auto keys = keys_of(rule, patterns);
  keys["reason"] = [&](const toml::node& node) {
    rule.reason = text_of(node);
    if (rule.reason.empty() || rule.reason.size() > longest_reason ||
        printable(rule.reason, longest_reason) != rule.reason)
      fail(ErrorKind::invalid_input, "it is one line of at most {} bytes", longest_reason);
  };
  table.read(keys);
  check_rule(table, rule);
  return rule;
}

bool takes(const Pods& first, const Pattern& name) {
  return std::ranges::any_of(first.namespaces, [&](const Pattern& pattern) {
    return pattern.text() == "*" || pattern.text() == name.text() ||
           (name.is_literal() && pattern.matches(name.text()));
  });
}

// A rule that no pod ever gets is a mistake: it would look as if it were in force.
void check_order(const Policy& policy) {
  for (size_t i = 0; i < policy.allows.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const Allow &earlier = policy.allows[j], &rule = policy.allows[i];
      if (!earlier.pods.service_accounts.empty()) continue;
      if (std::ranges::all_of(rule.pods.namespaces,
                              [&](const Pattern& name) { return takes(earlier.pods, name); }))
        throw Error(
            ErrorKind::invalid_input,
            fmt::format("{}:1: rule '{}' is for no pod: rule '{}' (line {}) before it is for all of its pods",
                        policy.place_of(rule), rule.name, earlier.name, earlier.line),
            "Move the rule for fewer pods before the one for more: the first one for a pod counts.");
    }
}

void check_names(const Policy& policy) {
  std::map<std::string, size_t> lines;
  const auto check = [&](const Rule& rule) {
    const auto [known, added] = lines.emplace(rule.name, rule.line);
    if (!added)
      fail(ErrorKind::invalid_input, "{}:1: rule '{}': line {} has a rule of that name",
           policy.place_of(rule), rule.name, known->second);
  };
  for (const Deny& rule : policy.denies) check(rule);
  for (const Allow& rule : policy.allows) check(rule);
}

}  // namespace

Policy read_policy(std::string_view text, const std::string& file, const Defaults& defaults) {
  const toml::table document =
      parse_toml(text, file, {.bytes = largest_file, .depth = 8, .values = 2 * most_patterns});
  Policy policy{.file = file, .defaults = defaults, .denies = {}, .allows = {}};
  Patterns patterns(file);
  const auto each_rule = [&](const toml::node& node, const std::function<void(const Table&)>& read) {
    const auto refuse = [&](const toml::node& what, const std::string& text) {
      fail(ErrorKind::invalid_input, "{}:{}:{}: {}", file, what.source().begin.line,
           what.source().begin.column, text);
    };
    const auto* list = node.as_array();
    if (list == nullptr) refuse(node, "rules are written [[allow]] and [[deny]]");
    for (const auto& item : *list) {
      const auto* table = item.as_table();
      if (table == nullptr) refuse(item, "rules are written [[allow]] and [[deny]]");
      if (policy.denies.size() + policy.allows.size() >= most_rules)
        refuse(item, fmt::format("more than {} rules", most_rules));
      read(Table(*table, file));
    }
  };
  for (const auto& [key, node] : document) {
    if (key.str() == "allow") {
      each_rule(node, [&](const Table& table) { policy.allows.push_back(read_allow(table, patterns)); });
    } else if (key.str() == "deny") {
      each_rule(node, [&](const Table& table) { policy.denies.push_back(read_deny(table, patterns)); });
    } else {
      const auto& at = key.source().begin;
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{}:{}:{}: unknown key '{}'", file, at.line, at.column,
                              printable(key.str(), longest_name)),
                  "Use [[allow]] and [[deny]].");
    }
  }
  if (!policy.has_rules())
    throw Error(
        ErrorKind::invalid_input, fmt::format("{}:1:1: there is no rule in it", file),
        "Write [[allow]] and [[deny]] rules. To allow everything, remove the file and restart floxd.");
  check_names(policy);
  check_order(policy);
  return policy;
}

Policy load_policy(const std::filesystem::path& path, const Defaults& defaults) {
  const Fd file = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_errno(errno, "examining {}", path.string());
  if (!S_ISREG(status.st_mode)) fail(ErrorKind::invalid_input, "{} is not a file", path.string());
  if ((status.st_mode & 022) != 0)
    throw Error(ErrorKind::untrusted,
                fmt::format("others than its owner can write to {} (mode {:04o})", path.string(),
                            status.st_mode & 07777),
                fmt::format("Run 'chmod go-w {}'.", path.string()));
  if (static_cast<uint64_t>(status.st_size) > largest_file)
    fail(ErrorKind::invalid_input, "{} has {} bytes: a policy may have {}", path.string(), status.st_size,
         largest_file);
  return read_policy(read_all(file.get()), path.string(), defaults);
}

}  // namespace flox::policy
