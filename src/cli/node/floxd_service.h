// floxd as a service of systemd's: starting it after an installation, and going back to the version from
// before if the new one does not come up.
#pragma once

#include <map>
#include <string>

#include "node/installer/installation.h"
#include "store/local/local_store.h"

namespace flox::cli {

// What an installation replaces besides files: taken before it.
struct RunningFloxd {
  bool runs = false;                            // or systemd tries to have it run
  std::map<std::string, nix::StorePath> roots;  // the node's own closures, by their GC roots' names
};
RunningFloxd running_floxd(const node::InstallPlan& plan, const node::InstallOptions& options,
                           const store::LocalStore& store);
// Makes the node's own closures those from before.
void restore_closures(const RunningFloxd& before, const store::LocalStore& store);

// (Re)starts floxd where systemd runs it, and waits until it is ready; elsewhere says that somebody must. If
// it does not come up and one ran before, the plan's changes, which the record has, are taken back, that one
// is started again, and Error(unavailable) says so.
void start_floxd(const node::InstallPlan& plan, const node::InstallOptions& options,
                 const RunningFloxd& before, const store::LocalStore& store, node::ChangeRecord& record);

}  // namespace flox::cli
