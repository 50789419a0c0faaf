#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "oci/runtime_spec.h"
#include "shim/launch/bootstrap.h"
#include "shim/launch/commands.h"
#include "shim/runtime/options.h"
#include "ttrpc/socket.h"

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif

namespace flox::shim {
namespace {

// One shim a pod: containers of one group share a shim.
std::string group_of(const CommandLine& line) {
  if (!fs::exists("config.json"))
    return line.id;  // a sandbox without a spec (containerd 2.x, sandboxer "shim")
  oci::RuntimeSpec spec = oci::RuntimeSpec::load("config.json");
  for (const char* name : {"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"})
    if (std::string group = spec.annotation(name); !group.empty()) return group;
  return line.id;
}

// A name that is the same for all of a group and short whatever the names are: paths of sockets have 107
// bytes.
std::string socket_path(const CommandLine& line, const Bootstrap& bootstrap) {
  std::string directory = bootstrap.socket_dir.empty() ? "/run/containerd/s" : bootstrap.socket_dir;
  fs::create_directories(directory);
  boost::uuids::name_generator_sha1 generate(boost::uuids::ns::url());
  auto name = generate(line.address + "/" + line.namespace_name + "/" + group_of(line));
  return directory + "/flox-" + boost::uuids::to_string(name);
}

bool in_use(const std::string& path) {
  if (!fs::exists(path)) return false;  // the usual case, without the 0.3 ms of a first exception
  try {
    ttrpc::connect_to(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// stderr of the server is containerd's log fifo. Non-blocking: a server never waits for its log.
Fd open_log() {
  int log = ::open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  return Fd(log >= 0 ? log : ::open("/dev/null", O_WRONLY | O_CLOEXEC));
}

void join_cgroup(const std::string& path, pid_t pid) {
  auto join = [&](const fs::path& directory) {
    fs::create_directories(directory);
    Fd processes = open_file(directory / "cgroup.procs", O_WRONLY);
    write_all(processes.get(), std::to_string(pid));
  };
  const fs::path root = "/sys/fs/cgroup";
  struct statfs info {};
  if (::statfs(root.c_str(), &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC)
    return join(root / fs::path(path).relative_path());
  for (const auto& controller : fs::directory_iterator(root)) {
    if (controller.is_symlink() || !controller.is_directory() || controller.path().filename() == "unified")
      continue;
    if (controller.path().filename() == "cpuset")
      continue;  // a new cpuset takes no process before it is set up
    join(controller.path() / fs::path(path).relative_path());
  }
}

// One more than containerd's: the kernel rather takes the shim than the daemon.
void adjust_oom_score(pid_t pid) {
  try {
    int score = std::stoi(read_file(fmt::format("/proc/{}/oom_score_adj", ::getppid())));
    Fd file = open_file(fmt::format("/proc/{}/oom_score_adj", pid), O_WRONLY);
    write_all(file.get(), std::to_string(std::min(score + 1, 1000)));
  } catch (const std::exception&) {  // without the privilege the score stays containerd's
  }
}

void share_cores_only_with_own_group() {
  const char* wanted = std::getenv("SCHED_CORE");
  if (wanted == nullptr || *wanted == '\0') return;
  constexpr unsigned long create = 1, process_group = 2;
  if (::prctl(PR_SCHED_CORE, create, 0, process_group, 0) != 0) fail_errno(errno, "enabling core scheduling");
}

// In the child: descriptors 0 to 3 arranged, everything else closed, and the program anew.
[[noreturn]] void become_server(int listening, int log, char** argv) {
  ::setpgid(0, 0);
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  int sources[4] = {null, null, log, listening};
  for (int& fd : sources) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
  for (int i = 0; i < 4; ++i)
    if (sources[i] < 0 || ::dup2(sources[i], i) < 0) ::_exit(127);
  ::close_range(4, ~0U, 0);
  if (::chdir("/") != 0) ::_exit(127);
  ::signal(SIGPIPE, SIG_DFL);
  ::execv("/proc/self/exe", argv);
  ::_exit(127);
}

pid_t start_server(const CommandLine& line, const std::string& socket, const Fd& listening) {
  std::vector<std::string> words{"containerd-shim-flox-v1",
                                 "-namespace",
                                 line.namespace_name,
                                 "-id",
                                 line.id,
                                 "-address",
                                 line.address,
                                 "-socket",
                                 socket};
  if (line.debug) words.emplace_back("-debug");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const Fd log = open_log();
  const pid_t pid = ::vfork();  // become_server makes system calls only
  if (pid < 0) fail_errno(errno, "starting the shim's server");
  if (pid == 0) become_server(listening.get(), log.get(), argv.data());
  return pid;
}

void answer(const Bootstrap& bootstrap, const std::string& address) {
  Directory(".").write_file("address", address, 0600);
  write_all(STDOUT_FILENO, bootstrap_answer(bootstrap, address));
}

}  // namespace

void start_shim(const CommandLine& line) {
  Bootstrap bootstrap = read_bootstrap(read_standard_input());
  std::string socket = socket_path(line, bootstrap);
  std::string address = "unix://" + socket;
  if (in_use(socket)) return answer(bootstrap, address);
  Fd listening;
  try {
    listening = ttrpc::listen_at(socket);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;
    return answer(bootstrap, address);  // a `start` for the same pod was quicker
  }
  if (!bootstrap.ttrpc_address.empty()) ::setenv("TTRPC_ADDRESS", bootstrap.ttrpc_address.c_str(), 1);
  pid_t pid = -1;
  try {
    RuntimeOptions options = RuntimeOptions::decode(bootstrap.options);
    share_cores_only_with_own_group();
    pid = start_server(line, socket, listening);
    if (!options.shim_cgroup.empty()) join_cgroup(options.shim_cgroup, pid);
    adjust_oom_score(pid);
    answer(bootstrap, address);
  } catch (const std::exception&) {
    if (pid > 0) ::kill(pid, SIGKILL);
    ::unlink(socket.c_str());
    throw;
  }
}

}  // namespace flox::shim
