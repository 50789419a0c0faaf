// kubectl-flox, which kubectl runs as `kubectl flox`: how flox is on a cluster's nodes, and why a pod does
// not start.
#include "base/command_line/program.h"
#include "kubectl/commands/commands.h"

namespace flox::kubectl {
namespace {

constexpr const char* examples = R"(
Examples:
  kubectl flox status                       floxd, its store and its queue on all nodes
  kubectl flox why web-7d9c -n shop         the timeline of its start, and what it waits for
  kubectl flox closure web-7d9c -n shop     the store paths that it runs
  kubectl flox prefetch --wait acme/web:8   onto all nodes, before a roll-out
  kubectl flox doctor                       what is wrong on any node)";

int run(int argc, char** argv) {
  CLI::App app{"Show how flox is on the nodes of a cluster and why a pod does not start", "kubectl flox"};
  app.footer(std::string(exit_codes) + "\n" + examples);
  app.set_version_flag("-V,--version", FLOX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  Common common;
  add_common_options(app, common);
  add_status(app, common);
  add_why(app, common);
  add_closure(app, common);
  add_sbom(app, common);
  add_prefetch(app, common);
  add_doctor(app, common);
  try {
    return run_command_line(app, argc, argv, [&] { return common.exit_code; });
  } catch (const ExitError&) {
    throw;
  } catch (const Error& error) {
    throw ExitError(exit_unseen, error);
  }
}

}  // namespace
}  // namespace flox::kubectl

int main(int argc, char** argv) {
  return flox::run_program([&] { return flox::kubectl::run(argc, argv); });
}
