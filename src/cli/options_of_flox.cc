#include "cli/options_of_flox.h"

#include "base/command_line/program.h"

namespace flox::cli {

void refuse_option(CLI::App& command, const std::string& names, const std::string& why,
                   const std::string& advice) {
  const auto refuse = [&command, option = names.substr(names.rfind(',') + 1), why, advice] {
    fail_usage(fmt::format("{} {}: {}", full_name(command), option, why), advice);
  };
  command.add_flag_callback(names, refuse)->group("");
}

}  // namespace flox::cli
