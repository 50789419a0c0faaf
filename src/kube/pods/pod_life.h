// The life of a pod as a table, and what status.json says of it.
//
//   pending --container_ran--> running
//      |                          |
//      |--succeeded---------------'--succeeded--> succeeded
//      '--failed------------------'--failed-----> failed
//
//   pending, running, succeeded, failed --end_asked--> terminating --removed--> gone
//
// A running pod whose sandbox dies stays running, as Kubernetes has it: its sandbox and containers are made
// anew. A supervisor that is started again finds pods as pending and learns the rest from the runtime.
#pragma once

#include "base/transitions.h"
#include "kube/pods/pod_status.h"

namespace flox::kube {

enum class PodLife {
  pending,      // no container of its has run yet, beside init containers
  running,      // one runs, or has run and is started again
  succeeded,    // all have ended, each with 0, and none is started again
  failed,       // the same, but not each with 0; or its time is over
  terminating,  // it is being taken down
  gone,         // nothing is left of it but its record
};

enum class PodEvent { container_ran, succeeded, failed, end_asked, removed };

// What an error calls them.
const char* word(PodLife life) noexcept;
const char* word(PodEvent event) noexcept;

using PodTransition = Transition<PodLife, PodEvent>;
inline constexpr PodTransition pod_life[] = {
    {PodLife::pending, PodEvent::container_ran, PodLife::running},
    {PodLife::pending, PodEvent::succeeded, PodLife::succeeded},
    {PodLife::pending, PodEvent::failed, PodLife::failed},
    {PodLife::pending, PodEvent::end_asked, PodLife::terminating},
    {PodLife::running, PodEvent::container_ran, PodLife::running},
    {PodLife::running, PodEvent::succeeded, PodLife::succeeded},
    {PodLife::running, PodEvent::failed, PodLife::failed},
    {PodLife::running, PodEvent::end_asked, PodLife::terminating},
    {PodLife::succeeded, PodEvent::end_asked, PodLife::terminating},
    {PodLife::failed, PodEvent::end_asked, PodLife::terminating},
    {PodLife::terminating, PodEvent::removed, PodLife::gone},
};

// Sets the status's phase and whether it is terminating. A pod that is being taken down keeps its phase.
void show(PodLife life, PodStatus& status);

}  // namespace flox::kube
