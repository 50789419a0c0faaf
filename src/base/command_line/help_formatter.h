// How options are written for people: in a help, a manual page and beside what a shell completes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace flox {

// As CLI11 writes a help, without what only its author understands: "INT:INT in [1 - 100]" becomes
// "INT(1-100)", and "--no-contents{false}" the option as it is typed.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
};

}  // namespace flox
