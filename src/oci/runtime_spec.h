// The OCI runtime spec (config.json) and its process, for editing in place. What is not edited stays as it
// was, order of keys and unknown fields included. (github.com/opencontainers/runtime-spec, config.md)
#pragma once  // Fuzzed by fuzz/runtime_spec.cc.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flox::oci {

using Json = nlohmann::ordered_json;

// "NAME=VALUE" strings in the order of the spec.
using Environment = std::vector<std::string>;

// The value of NAME in an environment; the last of equal names counts, as in a shell.
std::optional<std::string> get_variable(const Environment& environment, std::string_view name);
// Sets NAME where it stands, or at the end.
void set_variable(Environment& environment, std::string_view name, std::string_view value);

// A process as the spec's `process`, or as an exec's.
class ProcessSpec {
 public:
  // Throws Error(invalid_input) unless the text is a JSON object within the limits (base/data/json.h).
  static ProcessSpec parse(std::string_view text);
  ProcessSpec(const ProcessSpec& other);
  ProcessSpec(ProcessSpec&&) noexcept;
  ProcessSpec& operator=(ProcessSpec&&) noexcept;
  ~ProcessSpec();

  std::string dump() const;
  bool terminal() const;
  void set_terminal(bool terminal);
  std::vector<std::string> args() const;
  void set_args(const std::vector<std::string>& args);
  Environment env() const;
  void set_env(const Environment& env);
  std::string cwd() const;
  // 0 if the spec has none. Throw Error(invalid_input) for a number over 32 bits.
  uint32_t uid() const;
  uint32_t gid() const;

 private:
  friend class RuntimeSpec;
  explicit ProcessSpec(Json document);
  std::unique_ptr<Json> document_;
};

struct SpecMount {
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
};

class RuntimeSpec {
 public:
  // Throws Error naming the file: not_found, or invalid_input for what is no JSON object within the limits:
  // 16 MiB and 131,072 members and elements.
  static RuntimeSpec load(const std::filesystem::path& file);
  static RuntimeSpec parse(std::string_view text, std::string_view name = "the runtime spec");
  RuntimeSpec(RuntimeSpec&&) noexcept;
  RuntimeSpec& operator=(RuntimeSpec&&) noexcept;
  ~RuntimeSpec();

  std::string dump() const;
  // Replaces the file as a whole, keeping mode 0644.
  void save(const std::filesystem::path& file) const;

  // All of it, for those who read what has no accessor here. (nlohmann/json.hpp is needed for more than a
  // reference.)
  const Json& document() const noexcept { return *document_; }
  // The value of an annotation; empty if it is absent.
  std::string annotation(const std::string& name) const;
  // root.path, as it stands: absolute, or relative to the bundle.
  std::string root_path() const;
  std::string hostname() const;
  // True if the container has a pid namespace of its own (listed in linux.namespaces, without a path).
  bool has_own_pid_namespace() const;
  // True if the container has a user namespace (listed in linux.namespaces), its own or one that it joins.
  bool has_user_namespace() const;
  // The machine's number of a user or group of the container (linux.uidMappings, linux.gidMappings); the same
  // number without mappings. Throw Error(invalid_input) for one that is in none of them.
  uint32_t host_uid(uint32_t id) const;
  uint32_t host_gid(uint32_t id) const;
  // linux.resources.memory.limit, bytes; 0 if there is none.
  uint64_t memory_limit() const;
  // linux.mountLabel: SELinux's, for file systems that are made for the container.
  std::string mount_label() const;
  // Where the spec has something made in the root: the destinations of its mounts and the paths of its
  // devices, as they stand.
  std::vector<std::string> places() const;
  // The source of the mount at this destination; of several the last, which lies on top; empty if there is
  // none.
  std::string mount_source(std::string_view destination) const;
  // Names and values of the annotations whose names begin so. Throws Error(invalid_input) for a value that is
  // no string.
  std::vector<std::pair<std::string, std::string>> annotations(std::string_view prefix) const;
  // Adds a mount behind the others: it is made last, and lies on top.
  void add_mount(const SpecMount& mount);
  // Replaces type, source and options of the mount at that place in the list, which must be there; it keeps
  // its destination.
  void set_mount(size_t place, const SpecMount& mount);

  ProcessSpec process() const;
  void set_process(const ProcessSpec& process);

 private:
  explicit RuntimeSpec(Json document);
  std::unique_ptr<Json> document_;
};

}  // namespace flox::oci
