// What makes Debian's programs run from a store path, as data: import_rules.toml
// (docs/formats/import-rules.md). Patterns are of places (deb_file.h), where '*' stands for any characters
// but '/' (base/wildcard.h), or of package names.
#pragma once  // Fuzzed by fuzz/import_rules.cc.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flox::package {

struct ImportRules {
  // Packages that a program needs and its dependencies do not name.
  struct Extra {
    std::vector<std::string> when;  // patterns of packages
    std::vector<std::string> add;
  };
  // A link that a maintainer script would have made (update-alternatives). One '*' in the target is what '*'
  // in the place stands for.
  struct Link {
    std::string place;
    std::vector<std::string> targets;  // the first that exists
  };
  struct Variable {
    enum class Mode { set, if_unset, append };  // append: behind what the user has
    std::string name;
    Mode mode = Mode::if_unset;
    std::vector<std::string>
        places;  // patterns; those that exist count, and without any there is no variable
    std::vector<std::string>
        environment;                    // of the environment in use, before the others: places in $FLOX_ENV
    std::vector<std::string> programs;  // patterns; empty: all
  };
  struct Arguments {                    // put before the user's
    std::vector<std::string> programs;  // patterns
    std::vector<std::string> add;  // "{tree}" stands for the directory of all that the program has around it
  };
  struct File {
    std::string place;  // its directory may be a pattern, and exists
    std::string content;
  };

  // Libraries that have paths of other packages' files compiled in, without a variable for them.
  struct Compiled {
    std::string library;  // pattern
    std::string prefix;   // of the paths: "/usr/share/nodejs/"
  };

  std::vector<std::string> leave_out;  // packages that nothing in a store path needs: names and patterns
  std::vector<Extra> extras;
  std::map<std::string, std::string> interpreters;  // place → package
  std::map<std::string, std::string> libraries;     // that binaries from elsewhere count on → package
  std::vector<std::string> script_tools;            // packages whose programs scripts of a shell call
  std::vector<Link> links;
  std::vector<Variable> variables;
  std::vector<Arguments> arguments;
  std::vector<File> files;
  std::vector<Compiled> compiled;
  std::vector<std::string> copies;    // programs that find their files beside themselves
  std::vector<std::string> rewrites;  // texts whose paths below /usr become the store's
  std::vector<std::string> modules;   // directories of modules, which come with those that they need
  std::vector<std::string> failures;  // texts in a program's output that say it does not run

  // Those of this program.
  static const ImportRules& built_in();
};

// Throws Error(invalid_input) naming the member, also for one that the format does not have and for more than
// 1,000 rules of a kind. `name` is the text's, for messages.
ImportRules parse_import_rules(std::string_view text, std::string_view name);

// The text of import_rules.toml.
std::string_view import_rules_text() noexcept;

}  // namespace flox::package
