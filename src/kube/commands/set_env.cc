// flox kube set env: changes environment variables.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/command_line/program.h"
#include "base/os/file.h"
#include "kube/commands/commands.h"
#include "kube/commands/workloads.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

// Changes the variables of all containers of a workload: "NAME=VALUE" sets, "NAME-" removes.
void set_env(const Session& session, const std::string& workload, const std::vector<std::string>& changes) {
  const FileLock lock = session.state.lock();
  StoredObject object = find_workload(session, workload, {"deployment", "job", "pod"});
  for (const auto& change : changes) {
    check_variable(change, "");
    const size_t equals = change.find('=');
    if (equals != std::string::npos && equals > 0)
      object.set_env[change.substr(0, equals)] = change.substr(equals + 1);
    else if (change.size() > 1 && change.ends_with("-"))
      object.set_env[change.substr(0, change.size() - 1)] = std::nullopt;
    else
      fail_usage(fmt::format("{}: it is neither NAME=VALUE nor NAME-", change));
  }
  object.generation = new_generation();
  session.state.save(object);
  ensure_supervisor(session.state, last_settings(session.state));
  fmt::print("{} env updated\n", kubectl_name(read_object(object.document, workload)));
}

}  // namespace

void add_set(CLI::App& app, const CommonOptions& common) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto* set = app.add_subcommand("set", "Change a workload that was played")->require_subcommand(1);
  set->footer("Example:\n  flox kube set env deployment/web NAME=VALUE.");
  auto* command = set->add_subcommand("env", "Set or remove variables of all containers of a workload");
  command->add_option("CHANGE", *words, "deployment/NAME, then NAME=VALUE to set or NAME- to remove")
      ->required();
  command->footer(
      "Examples:\n  flox kube set env deployment/ticket-processor FLOX_PACKAGE_VERSION=0.0.9\n"
      "  flox kube set env deployment/ticket-processor FLOX_PACKAGE_VERSION-");
  command->callback([words, &common] {
    // "deployment web A=B" as well as "deployment/web A=B"
    const long names = words->front().find('/') == std::string::npos ? 2 : 1;
    if (static_cast<long>(words->size()) <= names)
      fail_usage("flox kube set env: no variables are given",
                 "For example: flox kube set env deployment/web NAME=VALUE.");
    const auto changes = words->begin() + names;
    set_env(open_session(common), join_target({words->begin(), changes}), {changes, words->end()});
  });
}

}  // namespace flox::kube
