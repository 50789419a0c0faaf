#include "kube/controllers/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "kube/controllers/reconcile.h"
#include "kube/pods/cgroup.h"
#include "kube/pods/log_rotation.h"
#include "kube/pods/pod_driver.h"
#include "kube/pods/volumes.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

// Where the kubelet, too, gives pods their user ids from, if nothing else is configured.
constexpr uint32_t first_user_base = user_range;
constexpr uint32_t last_user_base = 1u << 31;

// Drives one pod on a thread of its own.
class PodWorker {
 public:
  PodWorker(PodRecord record, const PodWorld& world)
      : driver_(std::move(record), world, [this] { wake(); }),
        thread_([this](std::stop_token stop) { run(stop); }) {}
  ~PodWorker() {
    thread_.request_stop();
    wake();
  }

  PodDriver& driver() { return driver_; }

 private:
  void wake() {
    {
      std::scoped_lock lock(mutex_);
      woken_ = true;
    }
    condition_.notify_all();
  }

  void run(std::stop_token stop) {
    while (!stop.stop_requested() && !driver_.gone()) {
      const auto pause = driver_.step();
      std::unique_lock lock(mutex_);
      condition_.wait_for(lock, stop, pause, [this] { return woken_; });
      woken_ = false;
    }
  }

  std::mutex mutex_;
  std::condition_variable_any condition_;
  bool woken_ = false;
  PodDriver driver_;
  std::jthread thread_;  // last: ends before the driver goes
};

Fd check_fd(int fd, const char* what) {
  if (fd < 0) fail_errno(errno, "{}", what);
  return Fd(fd);
}

std::string node_name() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

class Supervisor {
 public:
  Supervisor(const StateDir& state, const SupervisorSettings& settings)
      : state_(state),
        settings_(settings),
        cri_(connect_cri(settings.endpoint)),
        changed_(check_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "making an eventfd")),
        watch_(check_fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "making an inotify descriptor")),
        world_{*cri_,
               state_,
               settings.cgroup_parent,
               node_name(),
               [this] { return index(); },
               [] { return std::chrono::system_clock::now(); },
               [this] { mark_changed(); }} {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before the first worker thread
    signals_ = check_fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "making a signalfd");
    if (::inotify_add_watch(watch_.get(), state.objects_dir().c_str(),
                            IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE) < 0)
      fail_errno(errno, "watching {}", state.objects_dir().string());
  }

  // True: nothing is left to run. False: a signal said to end.
  bool run(FileLock supervisor_lock) {
    load_objects();
    adopt_pods();
    while (true) {
      reconcile();
      write_status();
      rotate_own_log(state_.supervisor_log(), LogLimits().bytes);
      if (idle() && end(supervisor_lock)) return true;
      if (wait()) {
        log::info("stopped by a signal; the pods go on running");
        return false;
      }
    }
  }

 private:
  ObjectIndexPtr index() const {
    std::scoped_lock lock(mutex_);
    return index_;
  }

  void mark_changed() {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(changed_.get(), &one, sizeof one);
  }

  void load_objects() {
    std::map<ObjectKey, Object> objects;
    workloads_.clear();
    for (const auto& stored : state_.objects()) {
      Workload workload{stored.key, stored.generation, stored.created_at, stored.effective(), {}};
      try {
        workload.object = read_object(workload.document, to_string(stored.key));
      } catch (const Error& error) {
        log::error("{}: {}", to_string(stored.key), error.what());
        continue;
      }
      objects[stored.key] = workload.object;
      const std::string& kind = stored.key.kind;
      if (kind == "Deployment" || kind == "Job" || kind == "Pod") workloads_.push_back(std::move(workload));
    }
    std::scoped_lock lock(mutex_);
    index_ = std::make_shared<const ObjectIndex>(std::move(objects));
  }

  // The pods of the supervisor before this one go on; what nobody remembers any more is removed.
  void adopt_pods() {
    std::set<std::string> known;
    for (auto& pod : state_.pods()) {
      known.insert(pod.uid);
      const std::string uid = pod.uid;
      log::info("pod {}/{}: found again", pod.namespace_(), pod.name());
      workers_[uid] = std::make_unique<PodWorker>(std::move(pod), world_);
    }
    for (const auto& sandbox : cri_->list_sandboxes({{state_label, state_.id()}}))
      if (!known.contains(sandbox.uid)) {
        log::warning("removing the forgotten pod {}/{}", sandbox.namespace_, sandbox.name);
        cri_->stop_sandbox(sandbox.id);
        cri_->remove_sandbox(sandbox.id);
        remove_cgroup(pod_cgroup(settings_.cgroup_parent, sandbox.uid));
      }
    for (const auto& name : state_.pods_directory().names()) {
      const std::string uid = name.ends_with(".json") ? name.substr(0, name.size() - 5) : name;
      if (known.contains(uid)) continue;
      if (uid == name)
        remove_volumes(uid, state_);
      else
        state_.remove_pod(uid);
    }
  }

  void reconcile() {
    std::vector<RunningPod> pods;
    for (auto worker = workers_.begin(); worker != workers_.end();) {
      PodDriver& driver = worker->second->driver();
      if (driver.gone()) {
        state_.remove_pod(driver.record().uid);
        ending_.erase(driver.record().uid);
        worker = workers_.erase(worker);
        continue;
      }
      RunningPod pod{driver.record(), driver.status()};
      pod.status.terminating = pod.status.terminating || ending_.contains(pod.record.uid);
      pods.push_back(std::move(pod));
      ++worker;
    }
    const UnixTime now = std::time(nullptr);
    Plan plan = make_plan(workloads_, pods, now);
    statuses_ = std::move(plan.workloads);
    for (const auto& uid : plan.remove) {
      ending_.insert(uid);
      workers_.at(uid)->driver().request_end();
    }
    for (auto& record : plan.create) {
      log::info("pod {}/{}: created for {} {}", record.namespace_(), record.name(), record.owner_kind,
                record.owner_name);
      if (!record.spec().host_users) record.user_base = free_user_base();
      state_.save(record);
      const std::string uid = record.uid;
      workers_[uid] = std::make_unique<PodWorker>(std::move(record), world_);
    }
  }

  // The first range of the host's user ids that no pod has. The ids below the first range are the machine's
  // own.
  uint32_t free_user_base() const {
    std::set<uint32_t> taken;
    for (const auto& [uid, worker] : workers_) taken.insert(worker->driver().record().user_base);
    uint32_t base = first_user_base;
    while (taken.contains(base)) base += user_range;
    if (base > last_user_base) fail(ErrorKind::unavailable, "there are no user ids left for another pod");
    return base;
  }

  void write_status() {
    json pods = json::array(), workloads = json::array();
    for (const auto& [uid, worker] : workers_) pods.push_back(to_json(worker->driver().status()));
    std::sort(pods.begin(), pods.end(), [](const json& a, const json& b) {
      return std::tie(a["namespace"].get_ref<const std::string&>(), a["name"].get_ref<const std::string&>()) <
             std::tie(b["namespace"].get_ref<const std::string&>(), b["name"].get_ref<const std::string&>());
    });
    for (const auto& status : statuses_) workloads.push_back(to_json(status));
    const json all = {{"pods", std::move(pods)}, {"workloads", std::move(workloads)}, {"pid", ::getpid()}};
    std::string text = all.dump(1, ' ', false, json::error_handler_t::replace);
    if (text == written_) return;
    write_file(state_.status_file(), text);
    written_ = std::move(text);
  }

  bool idle() const { return workloads_.empty() && workers_.empty(); }

  // Ends unless something has been played meanwhile: whoever plays holds the state's lock while doing so, and
  // looks for a supervisor only afterwards.
  bool end(FileLock& supervisor_lock) {
    const FileLock state_lock = state_.lock();
    load_objects();
    if (!idle()) return false;
    remove_cgroup(settings_.cgroup_parent);
    log::info("nothing is left to run");
    [[maybe_unused]] const FileLock released = std::move(supervisor_lock);
    return true;
  }

  // Waits until something has happened; true if a signal says to end.
  bool wait() {
    pollfd fds[] = {{changed_.get(), POLLIN, 0}, {watch_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (::poll(fds, 3, 1000) <= 0) return false;
    if (fds[2].revents) return true;
    char buffer[4096];
    if (fds[0].revents) [[maybe_unused]]
      const auto drained = ::read(changed_.get(), buffer, sizeof(uint64_t));
    if (fds[1].revents) {
      while (::read(watch_.get(), buffer, sizeof buffer) > 0) {
      }
      const FileLock lock = state_.lock();  // all of a play at once
      load_objects();
    }
    return false;
  }

  const StateDir& state_;
  SupervisorSettings settings_;
  std::unique_ptr<Cri> cri_;
  Fd changed_, watch_, signals_;
  mutable std::mutex mutex_;
  ObjectIndexPtr index_ = std::make_shared<ObjectIndex>();
  std::vector<Workload> workloads_;
  std::vector<WorkloadStatus> statuses_;
  std::set<std::string> ending_;
  std::string written_;
  PodWorld world_;
  std::map<std::string, std::unique_ptr<PodWorker>> workers_;  // last: they end before the rest goes
};

// An flock held elsewhere?
bool is_locked(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  const Fd file(fd);
  return ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::string last_lines(const fs::path& path) {
  const std::string text = fs::exists(path) ? read_file(path) : "";
  return text.size() > 800 ? text.substr(text.find('\n', text.size() - 800) + 1) : text;
}

// Starts `argv` as a daemon: no terminal, no parent, standard output and error at the end of `log`.
void start_daemon(const std::vector<std::string>& argv, const fs::path& log) {
  const Fd output = open_file(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  const Fd input = open_file("/dev/null", O_RDONLY);
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) fail_errno(errno, "starting the supervisor");
  if (pid == 0) {  // only async-signal-safe calls from here on
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::dup2(input.get(), 0);
    ::dup2(output.get(), 1);
    ::dup2(output.get(), 2);
    if (::chdir("/") == 0) ::execv(words[0], words.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

void supervise(const StateDir& state, const SupervisorSettings& settings) {
  // Whoever only asks whether a supervisor runs holds the lock for a moment.
  for (int tries = 0; is_locked(state.supervisor_lock()); ++tries) {
    if (tries == 50) fail(ErrorKind::conflict, "a supervisor for {} runs already", state.root().string());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  FileLock lock(state.supervisor_lock(), FileLock::Mode::exclusive);
  const json json = {
      {"pid", ::getpid()}, {"endpoint", settings.endpoint}, {"cgroup_parent", settings.cgroup_parent}};
  write_file(state.supervisor_settings(), json.dump(1));
  Supervisor supervisor(state, settings);
  // After a signal a worker may still wait for the runtime, for minutes. Everything worth keeping is on disk.
  if (!supervisor.run(std::move(lock))) std::_Exit(0);
}

bool supervisor_runs(const StateDir& state) { return is_locked(state.supervisor_lock()); }

SupervisorSettings last_settings(const StateDir& state) {
  SupervisorSettings settings;
  if (!fs::exists(state.supervisor_settings())) return settings;
  const std::string source = state.supervisor_settings();
  const json json = parse_json(read_file(source), source);
  return {string_member(json, "endpoint", source), string_member(json, "cgroup_parent", source)};
}

void ensure_supervisor(const StateDir& state, const SupervisorSettings& settings) {
  if (supervisor_runs(state)) {
    const SupervisorSettings running = last_settings(state);
    if (running.endpoint != settings.endpoint)
      throw Error(
          ErrorKind::conflict,
          fmt::format("the pods of {} run on {}", state.root().string(), running.endpoint),
          "Pass that --runtime-endpoint or another --state directory, or run 'flox kube down --all' first.");
    return;
  }
  connect_cri(settings.endpoint)->version();  // what can go wrong most often is said here and not in a log
  start_daemon({fs::read_symlink("/proc/self/exe"), "supervise", "--state", state.root(),
                "--runtime-endpoint", settings.endpoint, "--cgroup-parent", settings.cgroup_parent},
               state.supervisor_log());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!supervisor_runs(state)) {
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(ErrorKind::unavailable,
                  "the supervisor does not start: " + last_lines(state.supervisor_log()),
                  fmt::format("Read its log {}.", state.supervisor_log().string()));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace flox::kube
