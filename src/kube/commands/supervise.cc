// flox kube supervise: keeps what was played running.
#include "kube/commands/commands.h"

namespace flox::kube {

void add_supervise(CLI::App& app, const CommonOptions& common) {
  auto* command =
      app.add_subcommand("supervise", "Keep what was played running (flox kube play starts this)");
  command->footer("Example:\n  flox kube supervise --state /var/lib/flox/kube");
  command->callback([&common] {
    const Session session = open_session(common);
    supervise(session.state, session.settings);
  });
}

}  // namespace flox::kube
