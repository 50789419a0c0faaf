// Making a task, and undoing what was made of one that failed.
#include <boost/asio/co_spawn.hpp>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/trace/context.h"
#include "imageless/annotations.h"
#include "shim/cgroup/cgroup_migration.h"
#include "shim/io/shim_log.h"
#include "shim/runtime/oci_runtime.h"
#include "shim/runtime/pause_runtime.h"
#include "shim/task/task.h"
#include "ttrpc/status.h"

namespace flox::shim {

using ttrpc::Code;
using ttrpc::fail_status;

namespace {

// By the annotations of CRI; of a container of another client all is empty but the trace.
LogSubject subject_of(const oci::RuntimeSpec& spec, const std::string& traceparent) {
  const auto trace = trace::parse_traceparent(traceparent);
  return {.pod_namespace = spec.annotation("io.kubernetes.cri.sandbox-namespace"),
          .pod = spec.annotation("io.kubernetes.cri.sandbox-name"),
          .container = imageless::container_name(spec),
          .trace_id = trace ? trace::hex(trace->trace) : std::string()};
}

}  // namespace

asio::awaitable<std::shared_ptr<Task>> Task::create(TaskContext context, wire::CreateTaskRequest request,
                                                    CallTerms terms) {
  RuntimeOptions options = RuntimeOptions::decode(request.options());
  std::shared_ptr<Task> task(new Task(context, request, std::move(options)));
  std::exception_ptr failure;
  try {
    co_await task->create_init(request, std::move(terms));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log_warning_of(task->id_, "creating container {}: {}", task->id_, message_of(error));
    }
    co_await task->undo_create();
    forget_container(task->id_);
    std::rethrow_exception(failure);
  }
  log_debug_of(task->id_, "container {} is created", task->id_);
  task->events_.created(request, task->init_->pid);
  if (task->init_->exit) task->spawn_watch_init();
  co_return task;
}

asio::awaitable<void> Task::create_init(const wire::CreateTaskRequest& request, CallTerms terms) {
  const Milliseconds limit = terms.limit;
  const auto begin = std::chrono::steady_clock::now();
  auto left = [&] {
    return limit - std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
  };
  expect_cgroup_migration();
  options_.save(bundle_);
  oci::RuntimeSpec spec = oci::RuntimeSpec::load(fs::path(bundle_) / "config.json");
  known_container(id_, subject_of(spec, terms.traceparent));
  own_pid_namespace_ = spec.has_own_pid_namespace();
  if (context_.sandbox.add_to(spec)) spec.save(fs::path(bundle_) / "config.json");
  const bool sandbox = co_await create_sandbox(spec);
  if (sandbox) co_return;
  runtime_ = std::make_unique<OciRuntime>(context_.children, options_, context_.namespace_name, id_, bundle_);
  root_.mount(request);
  co_await environment_.prepare(spec, std::move(terms));
  co_await init_->stdio.open();
  if (restore_from_) co_return;
  Children::ReapingRecord record(context_.children);
  const pid_t pid = co_await runtime_->create(init_->stdio, left());
  init_->adopt(context_.children, pid);
  begin_init();
  environment_.detach();  // the container has its own mount of it
  if (left() < Milliseconds::zero())
    fail_status(Code::deadline_exceeded, "creating container {} took longer than the {} ms that were given",
                id_, limit.count());
}

asio::awaitable<bool> Task::create_sandbox(const oci::RuntimeSpec& spec) {
  const StdioPaths& streams = init_->stdio.paths();
  if (restore_from_ || streams.terminal || !(streams.in + streams.out + streams.err).empty()) co_return false;
  runtime_ = PauseRuntime::for_sandbox(spec, options_, context_.executor, bundle_);
  if (!runtime_) co_return false;
  Children::ReapingRecord record(context_.children);
  std::string trouble;
  try {
    const pid_t pid = co_await runtime_->create(init_->stdio, Milliseconds::max());
    init_->adopt(context_.children, pid);
    begin_init();
    co_return true;
  } catch (const std::exception& error) {
    trouble = message_of(error);
  }
  log_warning_of(id_, "the OCI runtime is to make the sandbox {} instead: {}", id_, trouble);
  co_await runtime_->remove(true);
  co_return false;
}

asio::awaitable<void> Task::undo_create() {
  init_->stdio.close();
  try {
    if (runtime_) co_await runtime_->remove(true);
  } catch (const std::exception& error) {
    log_warning_of(id_, "undoing the creation of {}: {}", id_, message_of(error));
  }
  environment_.detach();
  root_.unmount();
  co_await environment_.release(false);  // its error says it
}

void Task::begin_init() {
  init_->stdio.begin();
  try {
    cgroup_ = Cgroup::of_process(init_->pid);
    cgroup_->enable_controllers();
  } catch (const Error& error) {  // it is gone already
    log_debug_of(id_, "no cgroup of {}: {}", id_, error.what());
  }
  watch_memory();
}

void Task::watch_memory() {
  if (!cgroup_) return;
  try {
    oom_ = std::make_unique<OomWatch>(context_.executor, *cgroup_, [this] { events_.out_of_memory(); });
  } catch (const Error& error) {
    log_warning_of(id_, "cannot watch {} for memory shortage: {}", id_, error.what());
  }
}

}  // namespace flox::shim
