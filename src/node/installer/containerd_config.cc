#include "node/installer/containerd_config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "node/installer/root_process.h"

namespace flox::node {
namespace {

constexpr const char* k3s_directory = "var/lib/rancher/k3s/agent/etc/containerd";
constexpr const char* annotations = R"(["flox.dev/*"])";

TomlPath operator/(TomlPath path, const std::string& part) {
  path.push_back(part);
  return path;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

// Where CRI's settings of containers and of images are.
TomlPath cri_runtime(int config_version) {
  switch (config_version) {
    case 1:
      return {"plugins", "cri"};
    case 2:
      return {"plugins", "io.containerd.grpc.v1.cri"};
    default:
      return {"plugins", "io.containerd.cri.v1.runtime"};
  }
}
TomlPath cri_images(int config_version) {
  return config_version < 3 ? cri_runtime(config_version)
                            : TomlPath{"plugins", "io.containerd.cri.v1.images"};
}
TomlPath runtimes(int config_version) { return cri_runtime(config_version) / "containerd" / "runtimes"; }

// "containerd github.com/containerd/containerd/v2 v2.2.0 …" → 2, 2
std::pair<int, int> release(const std::string& version) {
  static const std::regex number(R"((?:^|\s)v?(\d+)\.(\d+)\.)");
  std::smatch match;
  if (!std::regex_search(version, match, number))
    fail(ErrorKind::invalid_input, "'containerd --version' says '{}', which names no release", version);
  return {std::stoi(match[1]), std::stoi(match[2])};
}

// The --config of the containerd that runs here.
std::optional<fs::path> config_of_running() {
  const auto pid = running_containerd();
  if (!pid) return {};
  std::vector<std::string> args(1);
  for (char c : read_file(fmt::format("/proc/{}/cmdline", *pid))) {
    if (c == '\0')
      args.emplace_back();
    else
      args.back() += c;
  }
  for (size_t i = 1; i < args.size(); ++i) {
    if ((args[i] == "--config" || args[i] == "-c") && i + 1 < args.size()) return args[i + 1];
    if (args[i].starts_with("--config=")) return args[i].substr(std::string("--config=").size());
  }
  return {};
}

int version_in(const std::string& text, const Containerd& containerd) {
  const std::string version = toml_value(text, {"version"}, containerd.config.string());
  if (!version.empty()) return std::stoi(version);
  // Without a line about it, releases 1.x take a configuration for version 1 and 2.x for their newest.
  return text.find_first_not_of(" \t\r\n") == std::string::npos ? containerd.config_version
         : containerd.major < 2                                 ? 1
                                                                : 3;
}

Containerd find_k3s(const fs::path& directory) {
  Containerd found{.major = 1, .minor = 7, .k3s = true};
  // What k3s has made tells which releases it has.
  if (const fs::path made = directory / "config.toml"; fs::exists(made)) {
    found.config = made;
    found.config_version = version_in(read_file(made), found);
  } else if (fs::exists(directory / "config-v3.toml.tmpl")) {
    found.config_version = 3;
  }
  if (found.config_version >= 3) found.major = 2, found.minor = 0;
  found.config = directory / (found.config_version >= 3 ? "config-v3.toml.tmpl" : "config.toml.tmpl");
  return found;
}

// A template is no TOML before k3s has filled it in: our tables go to its end.
std::string with_k3s_handler(const Containerd& containerd, std::string text, const HandlerOptions& options) {
  if (options.default_runtime)
    throw Error(
        ErrorKind::invalid_input, "k3s chooses the default runtime itself",
        "Leave --default-runtime out, and write default-runtime: flox into /etc/rancher/k3s/config.yaml.");
  const TomlPath handler = runtimes(containerd.config_version) / "flox";
  if (text.find(toml_header(handler)) != std::string::npos) return text;
  if (text.empty()) text = "{{ template \"base\" . }}\n";
  if (!text.ends_with('\n')) text += '\n';
  text += toml_block(handler, {{"runtime_type", quoted("io.containerd.runc.v2")},
                               {"runtime_path", quoted(options.shim)},
                               {"pod_annotations", annotations},
                               {"container_annotations", annotations}});
  text += toml_block(handler / "options", {{"SystemdCgroup", "{{ .SystemdCgroup }}"}});
  return text;
}

// A string as it is meant, without its quotes; empty if there is none.
std::string text_value(std::string_view text, const TomlPath& path, const Containerd& containerd) {
  const std::string value = toml_value(text, path, containerd.config.string());
  return value.size() > 2 ? value.substr(1, value.size() - 2) : "";
}

const TomlPath nri = {"plugins", "io.containerd.nri.v1.nri"};

bool has_plugin_check(const Containerd& containerd) {
  return std::pair(containerd.major, containerd.minor) >= std::pair(2, 2);
}

void check_sandbox_api(const Containerd& containerd) {
  if (containerd.k3s)
    throw Error(ErrorKind::invalid_input,
                "which containerd k3s has cannot be told, nor whether it has the sandbox API",
                "Leave --sandbox-api out.");
  if (!containerd.takes_shim_sandboxes())
    throw Error(ErrorKind::invalid_input,
                fmt::format("containerd {}.{} cannot leave pods' sandboxes to a shim", containerd.major,
                            containerd.minor),
                "Leave --sandbox-api out, or install containerd 2.3 or later.");
}

// Whether CRI can be told that no pause image is needed.
bool pulls_pause_image_on_demand(const Containerd& containerd) {
  return std::pair(containerd.major, containerd.minor) >= std::pair(2, 4);
}

TomlValues handler_values(const Containerd& containerd, const HandlerOptions& options) {
  TomlValues values;
  if (options.sandbox_api)
    // The sandbox's controller is told the type only.
    values = {{"runtime_type", quoted("io.containerd.flox.v1")},
              {"runtime_path", ""},
              {"sandboxer", quoted("shim")},
              {"disable_pause_image_pull", pulls_pause_image_on_demand(containerd) ? "true" : ""}};
  else if (containerd.takes_runtime_path())
    // With the type of runc's own shim, CRI sends the options that a runc has, and asks the shim for its
    // features.
    values = {{"runtime_type", quoted("io.containerd.runc.v2")},
              {"runtime_path", quoted(options.shim)},
              {"sandboxer", ""},
              {"disable_pause_image_pull", ""}};
  else
    values = {{"runtime_type", quoted("io.containerd.flox.v1")}};
  values.emplace_back("pod_annotations", annotations);
  values.emplace_back("container_annotations", annotations);
  values.emplace_back("runtime_engine", "");  // 1.x does not load CRI with it
  return values;
}

TomlValues runc_options(const Containerd& containerd, std::string_view text) {
  return toml_values(text, runtimes(containerd.config_version) / "runc" / "options",
                     containerd.config.string());
}

std::string default_runtime(const Containerd& containerd, std::string_view text) {
  const std::string runtime = text_value(
      text, cri_runtime(containerd.config_version) / "containerd" / "default_runtime_name", containerd);
  return runtime.empty() ? "runc" : runtime;
}

// Where a configuration has a table of handlers, containerd forgets the ones that it has by itself, and CRI
// does not load without its default one. The name of that one, if it is missing; empty if not.
std::string lacks_default_runtime(const Containerd& containerd, std::string_view text) {
  const std::string name = containerd.config;
  const std::string runtime = default_runtime(containerd, text);
  return toml_value(text, runtimes(containerd.config_version) / runtime, name).empty() ? runtime : "";
}

}  // namespace

std::optional<pid_t> running_containerd() {
  const fs::path program = program_in_path("containerd");
  const std::vector<pid_t> running = program.empty() ? std::vector<pid_t>() : root_processes_of(program);
  return running.empty() ? std::nullopt : std::optional(running.front());
}

Containerd find_containerd(const fs::path& root, const std::optional<fs::path>& config) {
  if (!config && fs::exists(root / k3s_directory)) return find_k3s(root / k3s_directory);
  Containerd found;
  try {
    std::tie(found.major, found.minor) = release(run_checked({.argv = {"containerd", "--version"}}));
  } catch (const Error& error) {
    throw error.with_context("looking for containerd")
        .with_advice("Install containerd 1.6 or later, or put it into PATH.");
  }
  found.config_version = found.major < 2 ? 2 : 3;
  std::optional<fs::path> named = config;
  if (!named && root == "/") named = config_of_running();
  found.config = named.value_or(root / "etc/containerd/config.toml");
  if (fs::exists(found.config)) found.config_version = version_in(read_file(found.config), found);
  return found;
}

std::string with_handler(const Containerd& containerd, std::string text, const HandlerOptions& options) {
  if (options.sandbox_api) check_sandbox_api(containerd);
  if (containerd.k3s) return with_k3s_handler(containerd, std::move(text), options);
  const std::string name = containerd.config;
  const TomlPath base = cri_runtime(containerd.config_version);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    text = set_toml_values(text, {}, {{"version", std::to_string(containerd.config_version)}}, name);
  if (lacks_default_runtime(containerd, text) == "runc")
    text = set_toml_values(text, runtimes(containerd.config_version) / "runc",
                           {{"runtime_type", quoted("io.containerd.runc.v2")}}, name);
  const TomlPath handler = runtimes(containerd.config_version) / "flox";
  text = set_toml_values(text, handler, handler_values(containerd, options), name);
  if (const TomlValues runc = runc_options(containerd, text); !runc.empty())
    text = set_toml_values(
        text, handler / "options",
        containerd.takes_runtime_path() ? runc : TomlValues{{"ConfigPath", quoted(handler_options_path)}},
        name);
  if (options.default_runtime)
    text = set_toml_values(text, base / "containerd", {{"default_runtime_name", quoted("flox")}}, name);
  if (!options.sandbox_image.empty()) {
    const std::string image = quoted(options.sandbox_image);
    text = containerd.config_version < 3
               ? set_toml_values(text, base, {{"sandbox_image", image}}, name)
               : set_toml_values(text, cri_images(3) / "pinned_images", {{"sandbox", image}}, name);
  }
  return text;
}

std::string handler_options_file(const Containerd& containerd, std::string_view text) {
  if (containerd.k3s || containerd.takes_runtime_path()) return {};
  std::string file;
  for (const auto& [key, value] : runc_options(containerd, text))
    file += fmt::format("{} = {}\n", key, value);
  return file.empty()
             ? file
             : "# The options of this node's runc, for the handler flox. By flox node install.\n" + file;
}

std::pair<std::string, fs::path> with_hosts_directory(const Containerd& containerd, std::string text) {
  const std::string name = containerd.config;
  const TomlPath registry = cri_images(containerd.config_version) / "registry";
  if (!toml_value(text, registry / "mirrors", name).empty())
    throw Error(
        ErrorKind::conflict,
        fmt::format("{} configures registries with mirrors, which excludes a config_path", name),
        fmt::format("Move them into hosts.toml files (containerd's docs/hosts.md) and set config_path in {}.",
                    toml_header(registry)));
  std::string directory = toml_value(text, registry / "config_path", name);
  if (directory.size() > 2) {
    directory = directory.substr(1, directory.size() - 2);               // the quotes
    return {std::move(text), directory.substr(0, directory.find(':'))};  // 2.x: a list
  }
  const fs::path usual = "/etc/containerd/certs.d";
  return {set_toml_values(text, registry, {{"config_path", quoted(usual)}}, name), usual};
}

std::string with_mirror(std::string_view hosts_toml, const std::string& registry,
                        const std::string& endpoint) {
  const TomlPath host = {"host", endpoint};
  const std::string name = registry + "/hosts.toml";
  if (!toml_value(hosts_toml, host, name).empty()) return std::string(hosts_toml);
  const std::string block = toml_block(host, {{"capabilities", R"(["pull", "resolve"])"}});
  if (hosts_toml.empty())
    return fmt::format("server = \"https://{}\"\n\n{}",
                       registry == "docker.io" ? "registry-1.docker.io" : registry, block);
  // Mirrors are asked in the order in which they stand.
  static const std::regex first_host(R"((^|\n)[ \t]*\[[ \t]*host\b)");
  std::cmatch match;
  const std::string text(hosts_toml);
  if (!std::regex_search(text.c_str(), match, first_host))
    return text + (text.ends_with('\n') ? "" : "\n") + block;
  const size_t at = static_cast<size_t>(match.position(0)) + (match[1].length() > 0 ? 1 : 0);
  return text.substr(0, at) + block + text.substr(at);
}

std::string own_registry(const std::string& endpoint, const std::string& key) {
  // 1.6 reads no file without a table of hosts (seen with 1.6.20); with a host in it, the server would be
  // asked a second time for what the host has refused.
  return fmt::format(
      "# By flox node install: floxd on this node gives environments as images, to those who have the key.\n"
      "server = \"{}\"\ncapabilities = [\"pull\", \"resolve\"]\n\n[header]\n  X-Flox-Node-Key = [\"{}\"]\n\n"
      "[host]\n",
      endpoint, key);
}

std::string with_plugins(const Containerd& containerd, std::string text) {
  const std::string name = containerd.config;
  if (containerd.k3s)
    throw Error(ErrorKind::invalid_input, "--nri: k3s writes containerd's configuration itself",
                "Leave it out, and set nri_socket in /etc/flox/config.toml: the containerd of k3s has "
                "/var/run/nri/nri.sock where it is of release 2.");
  if (std::pair(containerd.major, containerd.minor) < std::pair(1, 7))
    throw Error(ErrorKind::invalid_input,
                fmt::format("--nri: containerd {}.{} has no plugins", containerd.major, containerd.minor),
                "Use containerd 1.7 or later, better 2.2, or give pods runtimeClassName: flox.");
  if (default_runtime(containerd, text) == "flox")
    throw Error(ErrorKind::invalid_input,
                "--nri: flox is the default runtime, which prepares all pods itself",
                "Leave out --nri, or make another runtime the default one.");
  const std::string disabled = toml_value(text, nri / "disable", name);
  if (disabled == "true" || (disabled.empty() && containerd.major < 2))
    text = set_toml_values(text, nri, {{"disable", "false"}}, name);
  if (toml_value(text, nri / "disable_connections", name) == "true")
    text = set_toml_values(text, nri, {{"disable_connections", "false"}}, name);
  if (has_plugin_check(containerd))
    text = set_toml_values(text, nri / "default_validator", {{"enable", "true"}}, name);
  return text;
}

fs::path plugin_socket(const Containerd& containerd, std::string_view text) {
  const std::string socket = containerd.k3s ? "" : text_value(text, nri / "socket_path", containerd);
  return socket.empty() ? "/var/run/nri/nri.sock" : socket;
}

std::vector<std::string> plugin_faults(const Containerd& containerd, std::string_view text) {
  const std::string name = containerd.config;
  if (std::pair(containerd.major, containerd.minor) < std::pair(1, 7))
    return {fmt::format("containerd {}.{} has no plugins", containerd.major, containerd.minor)};
  std::vector<std::string> faults;
  const std::string disabled = toml_value(text, nri / "disable", name);
  if (disabled == "true" || (disabled.empty() && containerd.major < 2))
    faults.push_back(fmt::format("{}: plugins are disabled", toml_header(nri)));
  if (toml_value(text, nri / "disable_connections", name) == "true")
    faults.push_back(fmt::format("{}: disable_connections keeps floxd out", toml_header(nri)));
  if (has_plugin_check(containerd) && toml_value(text, nri / "default_validator" / "enable", name) != "true")
    faults.push_back(fmt::format("{} is not enabled: pods cannot say that they need floxd",
                                 toml_header(nri / "default_validator")));
  return faults;
}

fs::path containerd_root(const Containerd& containerd, std::string_view text) {
  if (containerd.k3s) return "/var/lib/rancher/k3s/agent/containerd";
  const std::string root = text_value(text, {"root"}, containerd);
  return root.empty() ? "/var/lib/containerd" : root;
}

std::vector<std::string> handler_faults(const Containerd& containerd, std::string_view text) {
  const std::string name = containerd.config;
  const TomlPath handler = runtimes(containerd.config_version) / "flox";
  const std::string header = toml_header(handler);
  if (toml_value(text, handler, name).empty()) {
    const TomlPath other = runtimes(containerd.config_version == 3 ? 2 : 3) / "flox";
    if (!toml_value(text, other, name).empty())
      return {fmt::format("{}, which a file of version {} does not read: there it is {}", toml_header(other),
                          containerd.config_version, header)};
    return {fmt::format("no {}", header)};
  }
  std::vector<std::string> faults;
  if (!toml_value(text, handler / "runtime_engine", name).empty())
    faults.push_back(
        fmt::format("{} names the shim in runtime_engine, as the guide has it: containerd 1.x does not load "
                    "CRI with that, 2.x ignores it",
                    header));
  const std::string type = toml_value(text, handler / "runtime_type", name),
                    path = toml_value(text, handler / "runtime_path", name);
  const bool by_name = type.find("flox") != std::string::npos,
             by_path = path.find("containerd-shim-flox-v1") != std::string::npos;
  if (!by_name && !(by_path && containerd.takes_runtime_path())) {
    if (by_path)
      faults.push_back(
          fmt::format("{} names the shim in runtime_path, which containerd {}.{} ignores: runtime_type must "
                      "be \"io.containerd.flox.v1\"",
                      header, containerd.major, containerd.minor));
    else if (faults.empty())
      faults.push_back(fmt::format("{} does not lead to containerd-shim-flox-v1", header));
  }
  if (text_value(text, handler / "sandboxer", containerd) == "shim") {
    if (!by_name)
      faults.push_back(
          fmt::format("{} leaves sandboxes to the shim (sandboxer), which is found by runtime_type "
                      "alone: that must be \"io.containerd.flox.v1\"",
                      header));
    if (!containerd.takes_shim_sandboxes())
      faults.push_back(
          fmt::format("{} leaves sandboxes to the shim (sandboxer), which containerd {}.{} cannot", header,
                      containerd.major, containerd.minor));
  }
  if (const std::string missing = lacks_default_runtime(containerd, text); !missing.empty())
    faults.push_back(fmt::format("no {} beside {}: containerd then has no handler {}, and CRI does not load",
                                 toml_header(runtimes(containerd.config_version) / missing), header,
                                 missing));
  if (toml_value(text, handler / "pod_annotations", name).find("flox.dev/*") == std::string::npos)
    faults.push_back(
        fmt::format("{} lets no flox.dev/* annotations through: pod_annotations = {}", header, annotations));
  return faults;
}

}  // namespace flox::node
