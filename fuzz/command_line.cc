// The shim's command line: one word a line.
#include "shim/launch/command_line.h"

#include "fuzz.h"

namespace flox::fuzz::of_command_line {

void one(std::string_view input) {
  shim::CommandLine line;
  if (!accepts([&] { line = shim::CommandLine::parse(split(input, '\n')); })) return;
  require(line.action.empty() || line.action == "start" || line.action == "delete", "actions are known");
  require(line.help || line.version || line.info || (!line.id.empty() && !line.namespace_name.empty()),
          "id and namespace are given");
}

}  // namespace flox::fuzz::of_command_line
