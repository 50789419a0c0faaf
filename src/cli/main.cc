// flox: environments, packages, publishing, node and Kubernetes set-up.
#include <cstdlib>

#include "base/error.h"
#include "base/os/memory.h"
#include "cli/commands.h"
#include "store/fetch/fetcher.h"

int main(int argc, char** argv) {
  using namespace flox::cli;
  flox::store::add_fetcher_job();
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  flox::keep_freed_memory();
  CLI::App app{
      "Environments and packages, and pods that run from them without images.\n"
      "An independent implementation of Flox's interfaces."};
  app.name("flox");
  app.set_version_flag("-V,--version", FLOX_VERSION);
  std::string root;
  app.add_option("--root", root, "root of the store, instead of / (FLOX_ROOT)");
  app.require_subcommand(1);
  // The configuration reads it from there, for this program and those it starts.
  app.parse_complete_callback([&root] {
    if (!root.empty()) setenv("FLOX_ROOT", std::filesystem::absolute(root).c_str(), 1);
  });

  add_init(app);
  add_install(app);
  add_list(app);
  add_activate(app);
  add_search(app);
  add_import(app);
  add_build(app);
  add_publish(app);
  add_push(app);
  add_store(app);
  add_node(app);
  add_kube(app);
  add_config(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();  // a command with exit codes of its own, which has said why
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : flox::exit_failure;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
  return 0;
}
