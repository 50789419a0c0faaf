#include "node/doctor/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/confined/sandbox.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/net/http_client.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "base/settings/units.h"
#include "catalog/settings.h"
#include "nix/cache_layout.h"
#include "nix/signature.h"
#include "node/doctor/catalog_check.h"
#include "node/doctor/kept_check.h"
#include "node/doctor/nri_check.h"
#include "node/doctor/peers_check.h"
#include "node/doctor/policy_check.h"
#include "node/doctor/prefetch_check.h"
#include "node/doctor/shared_store_check.h"
#include "node/doctor/trust_check.h"
#include "node/installer/containerd_config.h"
#include "node/installer/installation.h"
#include "node/installer/labels.h"
#include "node/installer/runtime_closure.h"
#include "store/cache/binary_cache.h"
#include "store/local/local_store.h"

namespace flox::node {
namespace {

constexpr std::chrono::seconds patience{5};

// The findings of one subject.
class Subject {
 public:
  Subject(std::string name, std::vector<Finding>& findings) : name_(std::move(name)), findings_(findings) {}
  void ok(std::string text) { add(Severity::ok, std::move(text), ""); }
  void warn(std::string text, std::string advice) {
    add(Severity::warning, std::move(text), std::move(advice));
  }
  void error(std::string text, std::string advice) {
    add(Severity::error, std::move(text), std::move(advice));
  }
  void add(std::vector<Finding> found) { std::ranges::move(found, std::back_inserter(findings_)); }

 private:
  void add(Severity severity, std::string text, std::string advice) {
    findings_.push_back({severity, name_, std::move(text), std::move(advice)});
  }
  std::string name_;
  std::vector<Finding>& findings_;
};

bool file_has(const fs::path& file, std::string_view text) {
  return fs::exists(file) && read_file(file).find(text) != std::string::npos;
}

// A program in one of the directories; empty if there is none.
fs::path find_program(const std::string& name, std::string_view path) {
  while (!path.empty()) {
    const std::string_view directory = path.substr(0, path.find(':'));
    const fs::path program = fs::path(directory) / name;
    if (::access(program.c_str(), X_OK) == 0) return program;
    path.remove_prefix(std::min(directory.size() + 1, path.size()));
  }
  return {};
}

void examine_kernel(Subject subject) {
  utsname name = {};
  ::uname(&name);
  if (file_has("/proc/filesystems", "overlay"))
    subject.ok(fmt::format("Linux {}, with overlayfs", name.release));
  else
    subject.warn(fmt::format("Linux {}, without overlayfs so far", name.release),
                 "Run 'modprobe overlay', unless containerd has another snapshotter.");
  // A call with a bad descriptor: whether it is known shows in the error.
  if (::syscall(SYS_open_tree, -1, "", 0) < 0 && errno == ENOSYS)
    subject.warn("no open_tree(2): views of single closures (store_view = \"closure\") cannot be made",
                 "use Linux 5.2 or later for them");
  if (!fs::exists("/proc/self/ns/user"))
    subject.warn("no user namespaces", "pods with hostUsers: false cannot run here");
}

void examine_isolation(Subject subject, const Config& config) {
  const Isolation isolation = available_isolation();
  if (isolation.complete())
    return subject.ok(fmt::format("fetchers are confined by {}", isolation.to_string()));
  const std::string what =
      fmt::format("the kernel confines what floxd fetches with by {} only", isolation.to_string());
  if (config.isolation == IsolationPolicy::required)
    subject.error(
        what + ", and isolation is required: floxd does not start",
        "Use Linux 5.13 or later with Landlock (lsm=landlock,…), or set isolation = \"best-effort\" on a "
        "node of one tenant.");
  else
    subject.warn(what, "use Linux 5.13 or later with Landlock (lsm=landlock,…)");
}

void examine_cgroups(Subject subject) {
  struct statfs info = {};
  if (::statfs("/sys/fs/cgroup", &info) != 0)
    return subject.error("no cgroups at /sys/fs/cgroup", "Mount them: no container runs without cgroups.");
  const bool hybrid = fs::exists("/sys/fs/cgroup/unified");
  if (info.f_type == CGROUP2_SUPER_MAGIC)
    subject.ok("version 2");
  else
    subject.ok(hybrid ? "version 1, hybrid (runc is used: crun does not run on these)" : "version 1");
}

void examine_oci_runtime(Subject subject) {
  const char* path = std::getenv("PATH");
  std::vector<std::string> found;
  for (const char* name : {"crun", "runc"})
    if (fs::path program = find_program(name, path != nullptr ? path : ""); !program.empty())
      found.push_back(program);
  if (found.empty())
    return subject.error("neither crun nor runc is in PATH",
                         "Install one of them: they start the containers.");
  subject.ok(fmt::format("{}", fmt::join(found, ", ")));
}

// The value of PATH of the containerd that runs here; nothing if none does, or we may not look.
std::optional<std::string> path_of_containerd() {
  const auto pid = running_containerd();
  if (!pid) return {};
  try {
    const std::string variables = read_file(fmt::format("/proc/{}/environ", *pid));
    for (size_t at = 0; at < variables.size(); at = variables.find('\0', at) + 1) {
      const std::string entry(variables.c_str() + at);
      if (entry.starts_with("PATH=")) return entry.substr(5);
    }
  } catch (const Error&) {
  }
  return {};
}

void examine_installation(Subject subject) {
  const ChangeRecord record(installation_record("/"));
  if (record.is_unfinished())
    subject.error(
        "flox node install, or uninstall, was ended before it was done: some files may be those of before",
        "Run it again.");
  else if (!record.empty())
    subject.ok(fmt::format("flox node install changed {} of this machine",
                           count_text(record.paths().size(), "file")));
}

void examine_containerd(Subject subject, const DoctorOptions& options) {
  const Containerd containerd = find_containerd("/", options.containerd_config);
  const std::string release =
      fmt::format("containerd {}.{}{}", containerd.major, containerd.minor, containerd.k3s ? " of k3s" : "");
  if (running_containerd())
    subject.ok(release + " runs");
  else
    subject.warn(release + " does not run, or this user cannot see it",
                 "Start it, and read its log: journalctl -u containerd.");
  if (!fs::exists(containerd.config))
    return subject.error(
        fmt::format("{} is not there, so there is no handler flox", containerd.config.string()),
        "Run 'flox node install' to write it.");
  const std::string text = read_file(containerd.config);
  if (containerd.k3s) {
    if (text.find("runtimes.flox]") == std::string::npos)
      subject.error(fmt::format("{} has no handler flox", containerd.config.string()),
                    "Run 'flox node install' to add it.");
    else
      subject.ok(fmt::format("{} has the handler flox", containerd.config.string()));
  } else {
    const std::vector<std::string> faults = handler_faults(containerd, text);
    for (const auto& fault : faults)
      subject.error(fmt::format("{}: {}", containerd.config.string(), fault),
                    "Run 'flox node install' to correct it; --dry-run shows how.");
    if (faults.empty()) subject.ok(fmt::format("{} has the handler flox", containerd.config.string()));
  }
  std::error_code error;
  if (const auto pid = running_containerd()) {
    const auto started = fs::last_write_time(fmt::format("/proc/{}", *pid), error);
    if (!error && fs::last_write_time(containerd.config) > started)
      subject.warn(fmt::format("{} is younger than the containerd that runs", containerd.config.string()),
                   "restart containerd: it reads its configuration only then");
  }
}

void examine_shim(Subject subject) {
  const char* ours = std::getenv("PATH");
  const std::string path = path_of_containerd().value_or(ours != nullptr ? ours : "");
  const fs::path shim = find_program(shim_name, path);
  if (shim.empty())
    return subject.error(
        fmt::format("{} is in none of the directories in which containerd looks: {}", shim_name, path),
        "Run 'flox node install' to put it into /usr/local/bin.");
  const Outcome outcome = run({.argv = {shim, "-v"}});
  if (outcome.exit_code != 0)
    return subject.error(fmt::format("{} does not run: {}", shim.string(), outcome.err),
                         "Run 'flox node install' to replace it.");
  subject.ok(fmt::format("{} runs", shim.string()));
}

void examine_floxd(Subject subject, const Config& config) {
  HttpClient http;
  try {
    const HttpResponse response =
        http.send({.url = "http://" + config.metrics_address.to_string() + "/readyz",
                   .timeout = patience,
                   .max_body = BodyLimit(1 << 20)});
    if (!response.ok())
      return subject.error(fmt::format("is not ready: {}", response.body),
                           "Read its log: journalctl -u floxd.");
    subject.ok(fmt::format("runs, with metrics at http://{}/metrics", config.metrics_address.to_string()));
  } catch (const Error& error) {
    return subject.error(
        fmt::format("does not answer at {}", config.metrics_address.to_string()),
        "Start it: systemctl start floxd. Running pods are not affected, new ones wait for it.");
  }
  if (!fs::exists(config.node_socket))
    subject.error(fmt::format("has no socket at {}, where the shim connects", config.node_socket.string()),
                  "Give floxd and the shim the same node_socket.");
  if (!config.registry_address)
    return subject.warn("serves no stub images (registry_address is empty)",
                        "Set registry_address, unless pods with imagePullPolicy Always can reach ghcr.io.");
  if (!fs::exists(config.registry_key_file))
    subject.warn(
        fmt::format("serves no environments as images: {} is missing", config.registry_key_file.string()),
        "Run flox node install, which makes it.");
  try {
    if (http.send({.url = "http://" + config.registry_address->to_string() + "/v2/",
                   .timeout = patience,
                   .max_body = BodyLimit(1 << 20)})
            .ok())
      return subject.ok(fmt::format("serves the stub images at {}", config.registry_address->to_string()));
  } catch (const Error&) {
  }
  subject.error(fmt::format("serves no stub images at {}", config.registry_address->to_string()),
                "Restart floxd: until then pods with imagePullPolicy Always cannot start.");
}

// What floxd says of itself; empty if it does not answer, which examine_floxd has said.
std::string metrics_of(const Config& config) {
  try {
    const HttpResponse response =
        HttpClient().send({.url = "http://" + config.metrics_address.to_string() + "/metrics",
                           .timeout = patience,
                           .max_body = BodyLimit(4 << 20)});
    return response.ok() ? response.body : "";
  } catch (const Error&) {
    return {};
  }
}

void examine_store(Subject subject, const Config& config) {
  if (!fs::exists(config.root / "nix/store"))
    return subject.error(fmt::format("there is no store below {}", config.root.string()),
                         "Start floxd, or run 'flox node install': both create it.");
  store::LocalStore store(config.root);
  subject.ok(fmt::format("{}: {}", store.store_directory().string(),
                         count_text(store.valid_paths().size(), "path")));
  try {
    const nix::StorePath runtime = current_runtime(store);
    if (!store.is_valid(runtime) || !fs::exists(store.real_path(runtime) / "bin/flox"))
      subject.error(fmt::format("the runtime closure {} is damaged", runtime.to_string()),
                    "Run 'flox node runtime' to build it again.");
    else
      subject.ok(fmt::format("runtime closure {}", runtime.base_name()));
  } catch (const Error& error) {
    subject.error(error.what(), error.advice());
  }
  struct statvfs space = {};
  if (::statvfs(store.store_directory().c_str(), &space) != 0) return;
  const double free = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize),
               total = static_cast<double>(space.f_blocks) * static_cast<double>(space.f_frsize);
  const std::string text = fmt::format("{:.1f} GB of {:.0f} GB are free", free / 1e9, total / 1e9);
  constexpr double little = 0.05, low = 2e9;
  if (free < low || free < little * total)
    subject.warn(text, "Run 'flox store gc' to remove what no pod uses.");
  else
    subject.ok(text);
}

void examine_caches(Subject subject, const Config& config) {
  const std::vector<std::string> caches = catalog::caches_of(config, config);
  if (caches.empty())
    subject.error("no catalog and no cache is configured", "Set catalog_url in /etc/flox/config.toml.");
  for (const auto& cache : caches) {
    const std::string shown = printable_url(cache);
    if (!cache.starts_with("http")) continue;
    try {
      const store::CacheAnswer answer =
          store::BinaryCache::open(cache)->ask(std::string(nix::cache_info_name));
      if (answer.error) throw Error(*answer.error);
      if (answer.text)
        subject.ok(shown + " answers");
      else
        subject.warn(shown + " answers, but has no nix-cache-info",
                     "Check that this is the URL of a binary cache.");
    } catch (const Error& error) {
      subject.warn(fmt::format("{} does not answer: {}", shown, error.what()),
                   "Check its URL and its server. Pods whose packages are in the store still run.");
    }
  }
  try {
    nix::TrustedKeys keys(config.trusted_keys);
  } catch (const Error& error) {
    return subject.error(fmt::format("trusted_keys: {}", error.what()), error.advice());
  }
  if (!config.trusted_keys.empty())
    return subject.ok(fmt::format("{} trusted {}", config.trusted_keys.size(),
                                  config.trusted_keys.size() == 1 ? "key" : "keys"));
  if (config.trust_content_addressed)
    subject.warn("no trusted keys: content-addressed paths of everybody are accepted",
                 "Set trusted_keys in /etc/flox/config.toml to the publishers' keys.");
  else
    subject.error("no trusted keys: nothing that is fetched will be accepted",
                  "Set trusted_keys in /etc/flox/config.toml to the publishers' keys.");
}

nlohmann::json ask_cluster(const std::string& kubeconfig, std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"kubectl", "--kubeconfig", kubeconfig, "--request-timeout=5s",
                                   "-o",      "json"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return parse_json(run_checked({.argv = argv}), "kubectl's answer");
}

void examine_cluster(Subject subject, const DoctorOptions& options) {
  try {
    const auto runtime_class = ask_cluster(options.kubeconfig, {"get", "runtimeclass", "flox"});
    const std::string handler = runtime_class.at("handler");
    if (handler == "flox")
      subject.ok("RuntimeClass flox leads to the handler flox");
    else
      subject.error(fmt::format("RuntimeClass flox leads to the handler '{}'", handler),
                    "Delete it, and run 'kubectl apply -f deploy/base/runtime-class.yaml'.");
  } catch (const Error& error) {
    subject.error(fmt::format("no RuntimeClass flox: {}", error.what()),
                  "Run 'kubectl apply -f deploy/base/runtime-class.yaml'.");
  }
  try {
    const auto node = ask_cluster(options.kubeconfig, {"get", "node", options.node_name});
    const auto& present = node.at("metadata").at("labels");
    std::vector<std::string> missing;
    for (const auto& [key, value] : labels_of_this_machine())
      if (present.value(key, "") != value) missing.push_back(key + "=" + value);
    if (missing.empty())
      subject.ok(fmt::format("node {} has its labels", options.node_name));
    else
      subject.warn(fmt::format("node {} lacks labels: {}", options.node_name, fmt::join(missing, ", ")),
                   fmt::format("Run 'flox node label {}'.", options.node_name));
  } catch (const Error& error) {
    subject.error(fmt::format("node {}: {}", options.node_name, error.what()),
                  "Pass the node's name with --node.");
  }
}

}  // namespace

std::vector<Finding> examine_node(const Config& config, const DoctorOptions& options) {
  std::vector<Finding> findings;
  const auto examine = [&](const char* name, const std::function<void(Subject)>& check) {
    try {
      check(Subject(name, findings));
    } catch (const std::exception& exception) {
      const Error error = to_error(exception);
      Subject(name, findings).error(error.what(), error.advice());
    }
  };
  examine("kernel", examine_kernel);
  examine("isolation", [&](Subject subject) { examine_isolation(std::move(subject), config); });
  examine("cgroups", examine_cgroups);
  examine("OCI runtime", examine_oci_runtime);
  examine("installation", examine_installation);
  examine("containerd", [&](Subject subject) { examine_containerd(subject, options); });
  examine("shim", examine_shim);
  examine("floxd", [&](Subject subject) { examine_floxd(subject, config); });
  examine("plugin", [&](Subject subject) { subject.add(check_nri(config, options, metrics_of(config))); });
  examine("policy", [&](Subject subject) { subject.add(check_policy(config, metrics_of(config))); });
  examine("peers", [&](Subject subject) { subject.add(check_peers(config, metrics_of(config))); });
  examine("shared store",
          [&](Subject subject) { subject.add(check_shared_store(config, metrics_of(config))); });
  examine("restarts", [&](Subject subject) { subject.add(check_kept(config, metrics_of(config))); });
  examine("prefetching", [&](Subject subject) { subject.add(check_prefetch(config)); });
  examine("store", [&](Subject subject) { examine_store(subject, config); });
  examine("catalog", [&](Subject subject) { subject.add(check_catalog(config)); });
  examine("caches", [&](Subject subject) { examine_caches(subject, config); });
  examine("trust", [&](Subject subject) { subject.add(check_trust(config)); });
  if (!options.kubeconfig.empty())
    examine("cluster", [&](Subject subject) { examine_cluster(subject, options); });
  return findings;
}

Severity worst(const std::vector<Finding>& findings) {
  Severity severity = Severity::ok;
  for (const auto& finding : findings) severity = std::max(severity, finding.severity);
  return severity;
}

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "?";
}

}  // namespace flox::node
