// The life of one of a pod's containers as a table, from its first attempt to its last.
//
//   waiting --started------> running --ended--> ended
//    |                        ^ ^ |
//    '--start_failed--,       | | '--crashed--> crashed
//                     v       | |                | |
//          start_failed --started '---started----' |
//                     ^                            |
//                     '--start_failed--------------'
//
// Whatever was there can be lost, with its sandbox or alone, and waits again; a start that failed stays one.
// Of a container that an earlier supervisor started, any of these is found: waiting can turn into all. A
// container whose start failed may be found crashed, which says less than the failure, or ended.
#pragma once

#include "base/transitions.h"
#include "kube/pods/pod_status.h"

namespace flox::kube {

enum class ContainerLife {
  waiting,       // for its sandbox, for the init containers, or to be made
  start_failed,  // it could not be made or started; it is tried again
  running,
  crashed,  // it has ended and is started again, perhaps only after a while
  ended,    // it has ended and is not started again
};

// `started` also each time it is found running, `crashed` and `ended` also each time it is found so.
enum class ContainerEvent { started, start_failed, crashed, ended, lost };

// What an error calls them.
const char* word(ContainerLife life) noexcept;
const char* word(ContainerEvent event) noexcept;

using ContainerTransition = Transition<ContainerLife, ContainerEvent>;
inline constexpr ContainerTransition container_life[] = {
    {ContainerLife::waiting, ContainerEvent::started, ContainerLife::running},
    {ContainerLife::waiting, ContainerEvent::start_failed, ContainerLife::start_failed},
    {ContainerLife::waiting, ContainerEvent::crashed, ContainerLife::crashed},
    {ContainerLife::waiting, ContainerEvent::ended, ContainerLife::ended},
    {ContainerLife::waiting, ContainerEvent::lost, ContainerLife::waiting},
    {ContainerLife::start_failed, ContainerEvent::started, ContainerLife::running},
    {ContainerLife::start_failed, ContainerEvent::start_failed, ContainerLife::start_failed},
    {ContainerLife::start_failed, ContainerEvent::crashed, ContainerLife::start_failed},
    {ContainerLife::start_failed, ContainerEvent::ended, ContainerLife::ended},
    {ContainerLife::start_failed, ContainerEvent::lost, ContainerLife::start_failed},
    {ContainerLife::running, ContainerEvent::started, ContainerLife::running},
    {ContainerLife::running, ContainerEvent::crashed, ContainerLife::crashed},
    {ContainerLife::running, ContainerEvent::ended, ContainerLife::ended},
    {ContainerLife::running, ContainerEvent::lost, ContainerLife::waiting},
    {ContainerLife::crashed, ContainerEvent::started, ContainerLife::running},
    {ContainerLife::crashed, ContainerEvent::start_failed, ContainerLife::start_failed},
    {ContainerLife::crashed, ContainerEvent::crashed, ContainerLife::crashed},
    {ContainerLife::crashed, ContainerEvent::lost, ContainerLife::waiting},
    {ContainerLife::ended, ContainerEvent::ended, ContainerLife::ended},
    {ContainerLife::ended, ContainerEvent::lost, ContainerLife::waiting},
};

// What status.json says of it.
RunState run_state_of(ContainerLife life) noexcept;

}  // namespace flox::kube
