#include "shim/runtime/namespace_thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <semaphore>

#include "base/error.h"
#include "shim/process/quiet_thread.h"
#include "shim/runtime/namespaces.h"

namespace flox::shim {
namespace {

const char* action(EnterStep step) {
  constexpr std::array names{"making them", "joining the pod's network", "setting the hostname",
                             "setting a sysctl"};
  return names.at(static_cast<size_t>(step));
}

}  // namespace

struct NamespaceThread::State {
  static void* body(void* argument) {
    State& state = *static_cast<State*>(argument);
    state.id = ::gettid();
    ::prctl(PR_SET_NAME, "pod-namespaces");
    if (state.plan.created != 0 && ::unshare(state.plan.created) != 0)
      state.error = errno;
    else if (state.failed = enter(state.plan); state.failed != EnterStep::done)
      state.error = errno;
    state.entered.release();
    if (state.error == 0) state.over.acquire();
    return nullptr;
  }

  NamespacePlan plan;
  std::binary_semaphore entered{0}, over{0};
  pid_t id = -1;
  EnterStep failed = EnterStep::done;
  int error = 0;  // errno
  pthread_t thread{};
};

NamespaceThread::NamespaceThread(const oci::SandboxSpec& spec) : state_(std::make_unique<State>()) {
  state_->plan = NamespacePlan::of(spec);
  const auto thread = start_quiet_thread(State::body, state_.get(), false);
  if (!thread) fail(ErrorKind::unavailable, "no thread can be started for the pod's namespaces");
  state_->thread = *thread;
  state_->entered.acquire();
  const int error = state_->error;
  if (error != 0) {
    ::pthread_join(state_->thread, nullptr);
    fail_errno(error, "the pod's namespaces: {}", action(state_->failed));
  }
  state_->plan.joined.clear();
}

NamespaceThread::~NamespaceThread() {
  state_->over.release();
  ::pthread_join(state_->thread, nullptr);
}

pid_t NamespaceThread::id() const noexcept { return state_->id; }

}  // namespace flox::shim
