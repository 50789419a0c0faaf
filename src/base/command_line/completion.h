// What a shell offers for the word that somebody is typing: commands, options and values of a program's own
// declarations (CLI11), so that nothing is said twice.
#pragma once  // Not fuzzed: the words are those that this user types, and only compared.

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace flox {

struct Completion {
  struct Candidate {
    std::string word, meaning;  // the meaning may be empty
    bool operator==(const Candidate&) const = default;
  };
  enum class Files { none, files, directories };
  std::vector<Candidate> candidates;  // all begin with the word, in the order of the help
  Files files = Files::none;          // what of the file system fits, too
};

// The values of an option or argument. `given` has what stands on the command line already, by the option's
// name ("--dir"). It reads what is local and quick, writes nothing and throws nothing that matters: an
// exception offers nothing.
using GivenOptions = std::map<std::string, std::string>;
struct ValueSource {
  std::function<std::vector<std::string>(const GivenOptions& given)> words;
  Completion::Files files = Completion::Files::none;
};
// Where its option is declared. The source is kept as long as the program runs. An option without one takes
// files, or the words that its check names (CLI::IsMember). Call it from one thread.
void offer_values(const CLI::Option* option, ValueSource source);
// For tests: before options go.
void forget_offered_values();

// For the last of `words`, which may be empty; the others are complete. The program's name is not among them.
Completion complete_words(const CLI::App& app, const std::vector<std::string>& words);

// As the scripts of the shells read it (completion_scripts.h): "none", "files" or "directories", then a line
// "WORD<TAB>MEANING" for each candidate.
std::string completion_text(const Completion& completion);

}  // namespace flox
