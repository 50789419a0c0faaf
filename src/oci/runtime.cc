#include "oci/runtime.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

void add(Argv& argv, const char* option, const std::string& value) {
  if (value.empty()) return;
  argv.emplace_back(option);
  argv.push_back(value);
}

void add_flag(Argv& argv, const char* option, bool wanted) {
  if (wanted) argv.emplace_back(option);
}

void add_checkpoint_paths(Argv& argv, const Runtime::Checkpoint& how) {
  add(argv, "--image-path", how.image_path);
  add(argv, "--work-path", how.work_path);
  add(argv, "--parent-path", how.parent_path);
}

void add_checkpoint_options(Argv& argv, const Runtime::Checkpoint& how) {
  add_flag(argv, "--tcp-established", how.tcp_established);
  add_flag(argv, "--ext-unix-sk", how.external_unix_sockets);
  add_flag(argv, "--shell-job", how.shell_job);
  add_flag(argv, "--file-locks", how.file_locks);
  add(argv, "--manage-cgroups-mode", how.cgroups_mode);
  for (const std::string& name : how.empty_namespaces) add(argv, "--empty-ns", name);
}

}  // namespace

Argv Runtime::command(std::initializer_list<std::string> words) const {
  Argv argv{settings_.binary};
  add(argv, "--root", settings_.root);
  add_flag(argv, "--systemd-cgroup", settings_.systemd_cgroup);
  add(argv, "--criu", settings_.criu);
  argv.insert(argv.end(), words);
  return argv;
}

Argv Runtime::create(const std::string& id, const fs::path& bundle, const fs::path& pid_file,
                     const fs::path& console) const {
  Argv argv = command({"create", "--bundle", bundle, "--pid-file", pid_file});
  add(argv, "--console-socket", console);
  add_flag(argv, "--no-pivot", settings_.no_pivot_root);
  add_flag(argv, "--no-new-keyring", settings_.no_new_keyring);
  argv.push_back(id);
  return argv;
}

Argv Runtime::restore(const std::string& id, const fs::path& bundle, const fs::path& pid_file,
                      const fs::path& console, const Checkpoint& from) const {
  Argv argv = command({"restore", "--detach", "--bundle", bundle, "--pid-file", pid_file, "--no-subreaper"});
  add_checkpoint_paths(argv, from);
  add_checkpoint_options(argv, from);
  add(argv, "--console-socket", console);
  add_flag(argv, "--no-pivot", settings_.no_pivot_root);
  argv.push_back(id);
  return argv;
}

Argv Runtime::start(const std::string& id) const { return command({"start", id}); }

Argv Runtime::exec(const std::string& id, const fs::path& process, const fs::path& pid_file,
                   const fs::path& console) const {
  Argv argv = command({"exec", "--process", process, "--detach", "--pid-file", pid_file});
  add(argv, "--console-socket", console);
  argv.push_back(id);
  return argv;
}

Argv Runtime::kill(const std::string& id, uint32_t signal, bool all) const {
  Argv argv = command({"kill"});
  add_flag(argv, "--all", all);
  argv.push_back(id);
  argv.push_back(std::to_string(signal));
  return argv;
}

Argv Runtime::remove(const std::string& id, bool force) const {
  Argv argv = command({"delete"});
  add_flag(argv, "--force", force);
  argv.push_back(id);
  return argv;
}

Argv Runtime::pause(const std::string& id) const { return command({"pause", id}); }
Argv Runtime::resume(const std::string& id) const { return command({"resume", id}); }
Argv Runtime::processes(const std::string& id) const { return command({"ps", "--format", "json", id}); }
Argv Runtime::update(const std::string& id) const { return command({"update", "--resources", "-", id}); }

Argv Runtime::checkpoint(const std::string& id, const Checkpoint& how) const {
  Argv argv = command({"checkpoint"});
  add_checkpoint_paths(argv, how);
  add_checkpoint_options(argv, how);
  add_flag(argv, "--leave-running", how.leave_running);
  argv.push_back(id);
  return argv;
}

Argv with_log(Argv argv, const fs::path& log) {
  const std::string words[] = {"--log", log, "--log-format", "json"};
  const bool has_root = argv.size() > 2 && argv[1] == "--root";
  argv.insert(argv.begin() + (has_root ? 3 : 1), std::begin(words), std::end(words));
  return argv;
}

// A command writes a few lines; their text may quote what a pod named.
constexpr size_t log_limit = 1 << 20;
constexpr JsonLimits line_limits{.bytes = 64 << 10, .depth = 16, .values = 4096};

// The "msg" of a line of level "error"; nothing for any other line, or what is no line of a log.
std::optional<std::string> error_of_line(std::string_view line) {
  try {
    const nlohmann::json entry = parse_json(line, "log", line_limits);
    if (optional_string(entry, "level", "log") == "error") return string_member(entry, "msg", "log");
  } catch (const Error&) {
  }
  return std::nullopt;
}

std::optional<std::string> last_error(const fs::path& log) {
  std::string text;
  try {
    text = Directory(directory_of(log)).read_file(log.filename().string(), log_limit);
  } catch (const Error&) {
    return std::nullopt;  // the runtime never got so far as to write a log
  }
  for (std::string_view left = text; !left.empty();) {  // from the end
    while (left.ends_with('\n')) left.remove_suffix(1);
    const size_t begin = left.rfind('\n') + 1;  // npos + 1 is 0
    if (auto message = error_of_line(left.substr(begin))) return message;
    left = left.substr(0, begin);
  }
  return std::nullopt;
}

std::string default_runtime() {
  struct statfs unified {};
  const bool hybrid =
      ::statfs("/sys/fs/cgroup/unified", &unified) == 0 && unified.f_type == CGROUP2_SUPER_MAGIC;
  if (hybrid) return "runc";
  const char* variable = std::getenv("PATH");
  std::string_view path = variable == nullptr ? "" : variable;
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(directory.size() + 1, path.size()));
    if (::access((fs::path(directory) / "crun").c_str(), X_OK) == 0) return "crun";
  }
  return "runc";
}

std::vector<int> parse_pids(const std::string& text) {
  const nlohmann::json list = in_context("the OCI runtime's list of processes", [&] {
    return parse_json(text, "ps", {.bytes = 1 << 20, .depth = 4});
  });
  std::vector<int> pids;
  if (list.is_null()) return pids;
  if (!list.is_array()) fail(ErrorKind::internal, "the OCI runtime's list of processes is not a list");
  for (const auto& pid : list)
    if (pid.is_number_unsigned() && pid.get<uint64_t>() <= INT_MAX) pids.push_back(pid.get<int>());
  return pids;
}

}  // namespace flox::oci
