// flox: environments, packages, publishing, node and Kubernetes set-up.
#include "base/error.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  CLI::App app{"Environments and packages without images. An independent implementation of Flox's interfaces."};
  app.name("flox");
  app.set_version_flag("-V,--version", FLOX_VERSION);
  app.require_subcommand(1);
  // Subcommands, each in the file of its name. A subcommand's file adds its line here when it exists.
  // SUBCOMMANDS
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : flox::exit_failure;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
  return 0;
}
