#include "cli/options_of_flox.h"

#include "base/command_line/program.h"

namespace flox::cli {

void refuse_option(CLI::App& command, const std::string& names, Takes takes, const std::string& why,
                   const std::string& advice) {
  const auto refuse = [&command, option = names.substr(names.rfind(',') + 1), why, advice] {
    fail_usage(fmt::format("{} {}: {}", full_name(command), option, why), advice);
  };
  if (takes == Takes::value)
    command.add_option_function<std::string>(names, [refuse](const std::string&) { refuse(); })->group("");
  else
    command.add_flag_callback(names, refuse)->group("");
}

void refuse_reference(CLI::App& command) {
  refuse_option(command, "-r,--remote,--reference", Takes::value,
                "an environment of the catalog is changed where it is checked out",
                fmt::format("Run 'flox pull OWNER/NAME', 'flox {} -d NAME …' and 'flox push -d NAME'.",
                            command.get_name()));
}

}  // namespace flox::cli
