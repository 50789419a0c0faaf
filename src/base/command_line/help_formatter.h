// How options are written for people: in a help, a manual page and beside what a shell completes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace flox {

// As CLI11 writes a help, without what only its author understands: "INT:INT in [1 - 100]" becomes
// "INT(1-100)", and "--no-contents{false}" the option as it is typed.
class HelpFormatter : public CLI::Formatter {
 public:
  // Without the second empty line that a group which is not shown leaves.
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  // Without commands that are not shown.
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
};

}  // namespace flox
