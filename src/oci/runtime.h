// The command lines of an OCI runtime (runc or crun) and what it says when it fails. Nothing is run here: the
// shim has its own way to wait.
#pragma once  // Fuzzed by fuzz/pids.cc.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace flox::oci {

namespace fs = std::filesystem;
using Argv = std::vector<std::string>;

class Runtime {
 public:
  struct Settings {
    std::string binary = "runc";  // looked up in PATH
    fs::path root;                // state directory, one a namespace
    bool systemd_cgroup = false;
    bool no_pivot_root = false;
    bool no_new_keyring = false;
    std::string criu;  // path of criu; empty: runc's own choice
  };
  struct Checkpoint {
    fs::path image_path, work_path, parent_path;  // empty: not given
    bool tcp_established = false, external_unix_sockets = false, shell_job = false, file_locks = false;
    bool leave_running = false;
    std::string cgroups_mode;
    std::vector<std::string> empty_namespaces;
  };

  explicit Runtime(Settings settings) : settings_(std::move(settings)) {}
  const Settings& settings() const noexcept { return settings_; }

  // An empty console socket means no terminal.
  Argv create(const std::string& id, const fs::path& bundle, const fs::path& pid_file,
              const fs::path& console) const;
  Argv restore(const std::string& id, const fs::path& bundle, const fs::path& pid_file,
               const fs::path& console, const Checkpoint& from) const;
  Argv start(const std::string& id) const;
  Argv exec(const std::string& id, const fs::path& process, const fs::path& pid_file,
            const fs::path& console) const;
  Argv kill(const std::string& id, uint32_t signal, bool all) const;
  Argv remove(const std::string& id, bool force) const;
  Argv pause(const std::string& id) const;
  Argv resume(const std::string& id) const;
  Argv processes(const std::string& id) const;  // prints a JSON list of host pids
  Argv update(const std::string& id) const;     // reads LinuxResources as JSON from stdin
  Argv checkpoint(const std::string& id, const Checkpoint& how) const;

 private:
  Argv command(std::initializer_list<std::string> words) const;
  Settings settings_;
};

// The same command with its errors going to `log` as JSON, one object a line. The options stand where
// containerd's shim puts them, behind --root: programs that wrap an OCI runtime look there.
Argv with_log(Argv argv, const fs::path& log);
// The last message of level "error" in such a log; nothing if there is none.
std::optional<std::string> last_error(const fs::path& log);

// The OCI runtime of a machine that names none: crun where there is one that can work, else runc. crun
// refuses hybrid cgroups (v1 controllers with a v2 tree in /sys/fs/cgroup/unified).
std::string default_runtime();

// The pids that `processes` printed: "[1,2]" or "null". Throws Error(internal) for anything else.
std::vector<int> parse_pids(const std::string& text);

}  // namespace flox::oci
