#include "cli/node/floxd_service.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/os/process.h"
#include "cli/node/install_steps.h"
#include "store/local/named_root.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* service = "floxd.service";
constexpr const char* socket = "floxd.socket";
constexpr const char* closure_names[] = {"flox-node", "flox-runtime"};  // below gcroots

void systemctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "systemctl");
  run_checked({.argv = std::move(arguments)});
}

void restart(const node::InstallPlan& plan) {
  systemctl({"daemon-reload"});
  systemctl({"enable", "--quiet", socket, service});
  // systemd makes no socket for a service that runs already.
  if (plan.sockets_changed) systemctl({"stop", service, socket});
  systemctl({"start", socket});
  systemctl({"restart", service});
}

// What systemd is to keep running: one that cannot come up is tried again and again, and mostly "activating".
bool is_to_run(const std::string& active_state) {
  return active_state == "active" || active_state == "activating" || active_state == "reloading";
}

void go_back(const node::InstallPlan& plan, const RunningFloxd& before, const store::LocalStore& store,
             node::ChangeRecord& record) {
  if (plan.sockets_changed) {
    systemctl({"stop", service, socket});
    systemctl({"disable", "--quiet", socket});
  }
  node::ChangeSet back;
  for (auto change = plan.files.changes().rbegin(); change != plan.files.changes().rend(); ++change)
    back.add({.path = change->path, .before = change->after, .after = change->before});
  record.apply(back);
  restore_closures(before, store);
  systemctl({"daemon-reload"});
  // A floxd from before there was this unit listens by itself.
  if (fs::exists(node::socket_unit_file)) systemctl({"enable", "--quiet", "--now", socket});
  systemctl({"restart", service});
  record.finish();
}

}  // namespace

RunningFloxd running_floxd(const node::InstallPlan& plan, const node::InstallOptions& options,
                           const store::LocalStore& store) {
  RunningFloxd before;
  if (plan.systemd && options.root == "/") {
    std::string state =
        run({.argv = {"systemctl", "show", "--property=ActiveState", "--value", service}}).out;
    while (state.ends_with('\n')) state.pop_back();
    before.runs = is_to_run(state);
  }
  for (const char* name : closure_names)
    if (auto closure = store::named_root(store, name)) before.roots.emplace(name, *std::move(closure));
  return before;
}

void restore_closures(const RunningFloxd& before, const store::LocalStore& store) {
  for (const char* name : closure_names) {
    const auto closure = before.roots.find(name);
    if (closure == before.roots.end())
      store::remove_named_root(store, name);
    else
      store::set_named_root(store, name, closure->second);
  }
}

void start_floxd(const node::InstallPlan& plan, const node::InstallOptions& options,
                 const RunningFloxd& before, const store::LocalStore& store, node::ChangeRecord& record) {
  if (!options.service) return;
  if (!plan.systemd)
    return print_to_do("There is no systemd. Keep floxd running with the service manager of this machine.");
  try {
    restart(plan);
  } catch (const Error& error) {
    const std::string failed = fmt::format("starting floxd: {}", error.what());
    if (!before.runs)
      throw Error(ErrorKind::unavailable, failed, "'journalctl -u floxd' says why it does not come up.");
    in_context(fmt::format("{}; going back to the floxd from before", failed),
               [&] { go_back(plan, before, store, record); });
    throw Error(ErrorKind::unavailable, fmt::format("{}; the floxd from before runs again", failed),
                "'journalctl -u floxd' says why the new one does not come up.");
  }
  print_done("floxd runs");
}

}  // namespace flox::cli
