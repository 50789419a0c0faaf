#include "package/imported/smoke.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/directory.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "base/printable.h"

namespace flox::package {
namespace {

constexpr size_t max_programs = 2000;
constexpr size_t max_output = 64 << 10;  // bytes of one program that are kept
constexpr size_t max_detail = 200;       // bytes
constexpr size_t max_answer = 4 << 20;   // bytes of all results
using Clock = std::chrono::steady_clock;

void must(bool done, const char* what) {
  if (!done) fail_errno(errno, "{}", what);
}

void write_text(const char* path, const std::string& text) {
  const Fd fd(::open(path, O_WRONLY | O_CLOEXEC));
  must(fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()), path);
}

void enter_namespaces() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  if (user != 0) flags |= CLONE_NEWUSER;
  must(::unshare(flags) == 0, "making namespaces");
  if (user != 0) {
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", fmt::format("0 {} 1", user));
    write_text("/proc/self/gid_map", fmt::format("0 {} 1", group));
  }
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "separating mounts");
}

// A root with the paths alone. This process is in it afterwards.
void enter_empty_root(const std::string& at, const std::vector<std::pair<std::string, std::string>>& paths) {
  must(::mount("none", at.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=0755") == 0,
       "mounting a root");
  must(::chdir(at.c_str()) == 0, "entering the root");
  for (const char* name : {"nix", "nix/store", "dev", "tmp", "proc"})
    must(::mkdir(name, 0755) == 0, "making the root's directories");
  must(::chmod("tmp", 01777) == 0, "opening /tmp");
  for (const char* name : {"dev/null", "dev/zero", "dev/urandom", "dev/random"}) {
    const Fd file(::open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    must(static_cast<bool>(file), "making a device");
    must(::mount((std::string("/") + name).c_str(), name, nullptr, MS_BIND, nullptr) == 0,
         "mounting a device");
    // Its owner and mode are the machine's: root's programs are user 0 here, too.
    must(::mount(nullptr, name, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr) ==
             0,
         "making a device's file read-only");
  }
  for (const auto& [real, name] : paths) {
    const std::string place = "nix/store/" + name;
    struct stat status {};
    must(::lstat(real.c_str(), &status) == 0, "examining a store path");
    if (S_ISLNK(status.st_mode)) {  // Nix has such paths
      must(::symlink(fs::read_symlink(real).c_str(), place.c_str()) == 0, "making the place of a store path");
      continue;
    }
    if (S_ISDIR(status.st_mode)) {
      must(::mkdir(place.c_str(), 0755) == 0, "making the place of a store path");
    } else {
      const Fd file(::open(place.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      must(static_cast<bool>(file), "making the place of a store path");
    }
    must(::mount(real.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) == 0, "mounting a store path");
    must(::mount(nullptr, place.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
                 nullptr) == 0,
         "making a store path read-only");
  }
  // The first process of the new namespace mounts its own /proc. Read-only: for /proc/sys the kernel asks for
  // user 0 and for no capability, and user 0 is who root's programs are here.
  must(::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr) == 0,
       "mounting /proc");
  must(::syscall(SYS_pivot_root, ".", ".") == 0, "changing the root");
  must(::umount2(".", MNT_DETACH) == 0, "leaving the old root");
  must(::chdir("tmp") == 0, "entering /tmp");
}

void drop_rights() {
  must(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "giving up new rights");
  for (int capability = 0; capability <= 63; ++capability) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> none{};
  must(::syscall(SYS_capset, &header, none.data()) == 0, "giving up capabilities");
  for (const auto& [resource, limit] :
       {std::pair{RLIMIT_CORE, rlim_t{0}}, std::pair{RLIMIT_FSIZE, rlim_t{64} << 20},
        std::pair{RLIMIT_NPROC, rlim_t{4096}}}) {
    const rlimit both{limit, limit};
    must(::setrlimit(resource, &both) == 0, "setting a limit");
  }
}

[[noreturn]] void become_program(const std::string& program, int output) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0 && ::dup2(null, 0) >= 0 && ::dup2(output, 1) >= 0 && ::dup2(output, 2) >= 0) {
    ::setsid();
    std::string path = program, version = "--version";
    char* argv[] = {path.data(), version.data(), nullptr};
    std::string home = "HOME=/tmp", locale = "LC_ALL=C.UTF-8", terminal = "TERM=dumb",
                directory = "TMPDIR=/tmp";
    char* variables[] = {home.data(), locale.data(), terminal.data(), directory.data(), nullptr};
    ::execve(path.c_str(), argv, variables);
  }
  const std::string text = fmt::format("cannot be executed: {}\n", ::strerror(errno));
  [[maybe_unused]] const ssize_t ignored = ::write(2, text.data(), text.size());
  ::_exit(127);
}

// The first process of the namespaces: runs one program after the other.
SmokeResult run_program(const std::string& program, const std::string& full_path,
                        const std::vector<std::string>& failures, std::chrono::milliseconds time_limit) {
  Pipe output = make_pipe();
  const pid_t child = ::fork();
  must(child >= 0, "starting a process");
  if (child == 0) {
    try {
      drop_rights();
      become_program(full_path, output.write_end.get());
    } catch (const std::exception&) {
      ::_exit(127);
    }
  }
  output.write_end.reset();
  const auto deadline = Clock::now() + time_limit;
  std::string text;
  bool stopped = false, open = true;
  int status = 0;
  for (bool ended = false; !ended;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 && !stopped) {
      stopped = true;
      ::kill(child, SIGKILL);
    }
    pollfd waiting{.fd = output.read_end.get(), .events = POLLIN, .revents = 0};
    if (open && ::poll(&waiting, 1, 20) > 0) {
      std::array<char, 4096> buffer;
      const ssize_t got = ::read(output.read_end.get(), buffer.data(), buffer.size());
      if (got <= 0) open = false;
      if (got > 0 && text.size() < max_output) text.append(buffer.data(), static_cast<size_t>(got));
    } else if (!open) {
      ::usleep(1000);
    }
    const pid_t got = ::waitpid(child, &status, WNOHANG);
    ended = got == child || (got < 0 && errno == ECHILD);
  }
  // What it printed last; and whatever it left running goes, for it is in no other namespace.
  if (open && text.size() < max_output) {
    ::fcntl(output.read_end.get(), F_SETFL, O_NONBLOCK);
    std::array<char, 4096> buffer;
    for (ssize_t got;
         text.size() < max_output && (got = ::read(output.read_end.get(), buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<size_t>(got));
  }
  ::kill(-1, SIGKILL);
  while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
  return judge(program, status, stopped, text, failures);
}

nlohmann::json run_all(const std::vector<std::string>& programs, const std::string& path,
                       const std::vector<std::string>& failures, std::chrono::milliseconds time_limit) {
  nlohmann::json results = nlohmann::json::array();
  for (const std::string& program : programs) {
    const SmokeResult result = run_program(program, path + "/" + program, failures, time_limit);
    results.push_back({{"program", result.program},
                       {"verdict", static_cast<int>(result.verdict)},
                       {"detail", result.detail}});
  }
  return results;
}

// Where the links of a tree lead from there; outside of it as the last one says.
std::string file_of(const Directory& root, std::string place) {
  constexpr int most_links = 16;
  for (int link = 0; link < most_links; ++link) {
    const auto status = place.starts_with("..") ? std::nullopt : root.status(place);
    if (!status || !S_ISLNK(status->st_mode)) break;
    const fs::path target = root.read_link(place);
    if (target.is_absolute()) return target.lexically_normal();
    place = (fs::path(place).parent_path() / target).lexically_normal();
  }
  return place;
}

// One name of each file, its own if it has one there: busybox has hundreds.
std::vector<std::string> programs_in(const fs::path& files) {
  if (!fs::is_directory(fs::symlink_status(files))) return {};  // a store path may be a file
  const Directory root(files);
  const auto bin = root.status("bin");
  if (!bin || !S_ISDIR(bin->st_mode)) return {};
  std::map<std::string, std::string> names;  // by file
  for (const std::string& name : root.subdirectory("bin").names()) {
    if (names.size() == max_programs) break;
    const std::string place = "bin/" + name, file = file_of(root, place);
    const auto [known, is_new] = names.try_emplace(file, place);
    if (!is_new && (place == file || (known->second != file && place < known->second))) known->second = place;
  }
  std::vector<std::string> result;
  for (const auto& [file, name] : names) result.push_back(name);
  std::ranges::sort(result);
  return result;
}

}  // namespace

std::string_view to_string(SmokeResult::Verdict verdict) noexcept {
  switch (verdict) {
    case SmokeResult::Verdict::ran:
      return "ran";
    case SmokeResult::Verdict::complained:
      return "complained";
    case SmokeResult::Verdict::did_not_run:
      break;
  }
  return "did not run";
}

SmokeResult judge(std::string program, int status, bool stopped, std::string_view output,
                  const std::vector<std::string>& failures) {
  using Verdict = SmokeResult::Verdict;
  SmokeResult result{.program = std::move(program), .verdict = Verdict::ran, .detail = {}};
  // A program that ends with 0 may print whatever it likes.
  const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  std::string complaint;
  for (size_t begin = 0; begin < output.size() && !ended_well;) {
    const size_t end = std::min(output.find('\n', begin), output.size());
    const std::string_view line = output.substr(begin, end - begin);
    if (complaint.empty() && std::any_of(failures.begin(), failures.end(), [&](const std::string& text) {
          return line.find(text) != std::string_view::npos;
        }))
      complaint = printable(line, max_detail);
    begin = end + 1;
  }
  if (stopped) {
    result.detail = "ran until it was stopped";
  } else if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const bool crashed = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGABRT ||
                         signal == SIGFPE || signal == SIGSYS || signal == SIGTRAP;
    result.verdict = crashed ? Verdict::did_not_run : Verdict::ran;
    result.detail = fmt::format("ended by signal {}", signal);
  } else if ((WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127) &&
             (!complaint.empty() || output.empty())) {
    result.verdict = Verdict::did_not_run;
    // Shells say so of what they cannot start, and so does this file; busybox of an option that it does not
    // have, too.
    result.detail = complaint.empty() ? fmt::format("exit code {}", WEXITSTATUS(status)) : complaint;
  } else if (!complaint.empty()) {
    result.verdict = Verdict::complained;
    result.detail = complaint;
  } else if (!ended_well) {
    result.detail = fmt::format("exit code {}", WEXITSTATUS(status));
  }
  return result;
}

std::vector<SmokeResult> smoke_run(const store::LocalStore& store, const nix::StorePath& path,
                                   const std::vector<std::string>& failures,
                                   std::chrono::milliseconds time_limit) {
  const auto programs = programs_in(store.real_path(path));
  if (programs.empty()) return {};
  return in_context("running the programs of " + path.to_string() + " in an empty root", [&] {
    std::vector<std::pair<std::string, std::string>> paths;
    for (const nix::StorePath& member : store.closure({path}))
      paths.emplace_back(store.real_path(member).string(), member.base_name());
    const TempDir root("flox-smoke-");
    Pipe answer = make_pipe();
    const pid_t child = ::fork();
    if (child < 0) fail_errno(errno, "starting a process");
    if (child == 0) {
      std::string text;
      try {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter_namespaces();
        const pid_t first = ::fork();  // which is process 1 of the new namespace
        must(first >= 0, "starting a process");
        if (first != 0) {
          int status = 0;
          while (::waitpid(first, &status, 0) < 0 && errno == EINTR) continue;
          ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter_empty_root(root.path().string(), paths);
        text = run_all(programs, path.to_string(), failures, time_limit).dump();
      } catch (const std::exception& error) {
        text = nlohmann::json(message_of(error)).dump();
      }
      write_all(answer.write_end.get(), text);
      ::_exit(0);
    }
    answer.write_end.reset();
    const std::string text = read_all(answer.read_end.get());
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
    const nlohmann::json results =
        parse_json(text, "results", {.bytes = max_answer, .depth = 4, .values = 10 * max_programs});
    if (results.is_string())
      throw Error(ErrorKind::unavailable, results.get<std::string>(),
                  "Import as root, or let users have namespaces (sysctl kernel.unprivileged_userns_clone=1); "
                  "--no-smoke-run "
                  "imports without.");
    std::vector<SmokeResult> list;
    for (const auto& one : results)
      list.push_back({.program = one.at("program").get<std::string>(),
                      .verdict = static_cast<SmokeResult::Verdict>(one.at("verdict").get<int>()),
                      .detail = one.at("detail").get<std::string>()});
    return list;
  });
}

}  // namespace flox::package
