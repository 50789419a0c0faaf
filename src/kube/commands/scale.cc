// flox kube scale: changes the number of pods of a Deployment.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/os/file.h"
#include "kube/commands/commands.h"
#include "kube/commands/workloads.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

void scale(const Session& session, const std::string& workload, int replicas) {
  const FileLock lock = session.state.lock();
  StoredObject object = find_workload(session, workload, {"deployment"});
  object.document["spec"]["replicas"] = replicas;
  object.generation = new_generation();
  session.state.save(object);
  ensure_supervisor(session.state, last_settings(session.state));
  fmt::print("{} scaled\n", kubectl_name(read_object(object.document, workload)));
}

}  // namespace

void add_scale(CLI::App& app, const CommonOptions& common) {
  struct Options {
    std::vector<std::string> target;
    int replicas = 0;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("scale", "Change the number of pods of a Deployment");
  command->add_option("WORKLOAD", options->target, "deployment/NAME")->required();
  command->add_option("--replicas", options->replicas, "number of pods (0 to 10000)")
      ->required()
      ->check(CLI::Range(0, 10000));
  command->footer("Example:\n  flox kube scale deployment/web --replicas 3");
  command->callback(
      [options, &common] { scale(open_session(common), join_target(options->target), options->replicas); });
}

}  // namespace flox::kube
