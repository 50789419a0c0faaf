#include "node/installer/installation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/random.h"
#include "base/error.h"
#include "base/os/file.h"
#include "node/images/reference.h"
#include "node/installer/manual_pages.h"
#include "node/installer/root_process.h"
#include "node/installer/stub_images.h"
#include "trust/names.h"
#include "trust/trust_store.h"

namespace flox::node {
namespace {

constexpr const char* k3s_registries = "etc/rancher/k3s/registries.yaml";

bool has_systemd(const fs::path& root) {
  return fs::exists(root / "run/systemd/system") || (root != "/" && fs::exists(root / "etc/systemd/system"));
}

// No mount namespace of the service's own (ProtectSystem, ProtectHome, PrivateTmp, ReadWritePaths and the
// like make one): views of the store are mounts that containerd must see, and systemd lets none out of a
// service's namespace. floxd itself confines the reading of untrusted input.
std::string unit(const fs::path& prefix) {
  return fmt::format(R"([Unit]
Description=floxd: environments, store and stub images of imageless pods
After=network-online.target floxd.socket
Wants=network-online.target
Requires=floxd.socket
Before=containerd.service k3s.service k3s-agent.service
# Whatever it fails of, it is tried again: without it no pod starts.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={}/bin/floxd
# After a power failure it verifies what may not have been written.
TimeoutStartSec=15min
# Reads the policy again.
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
# The views of the store that pods see are mounts: they must outlive floxd.
KillMode=process
LimitNOFILE=65536

# At rest it has 20 MB. Fetching takes up to 256 MB for what is on its way, and page cache counts too.
MemoryHigh=768M
MemoryMax=1G
TasksMax=512
# Pods do not start without it; but it goes before the machine's own services do.
OOMScoreAdjust=-500

UMask=0022
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=no
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
KeyringMode=private
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# Mount namespaces only: its fetching processes, and the store as it sees it itself.
RestrictNamespaces=mnt user
SystemCallFilter=@system-service @mount seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
SystemCallFilter=~@obsolete @raw-io @reboot @swap @module @clock @cpu-emulation @debug
SystemCallErrorNumber=EPERM
# CAP_SYS_ADMIN: mounts the views of the store, with trusted.* attributes.
# CAP_SYS_CHROOT: enters the mount namespace in which it may write to the store.
# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_CHOWN, CAP_FSETID: the store's files are of any mode, and
#   of the users that Nix has made them as; a path gets its canonical owner and mode.
# CAP_SETUID, CAP_SETGID, CAP_SETPCAP: its fetching processes give up what they had.
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_CHOWN CAP_FSETID CAP_SETUID CAP_SETGID CAP_SETPCAP

[Install]
WantedBy=multi-user.target
)",
                     prefix.string());
}

// While floxd is replaced or starts again, shims that connect wait, and so does containerd for images. The
// pods' own socket is not kept: who has connected is asked of the kernel when floxd accepts, and that must
// not be long after (docs/reference/node-protocol.md).
std::string socket_unit(const InstallOptions& options) {
  std::string listen = fmt::format("ListenStream={}\n", options.node_socket.string());
  if (options.registry_address)
    listen += fmt::format("ListenStream={}\n", options.registry_address->to_string());
  return fmt::format(R"([Unit]
Description=The sockets of floxd that outlive it
Before=containerd.service k3s.service k3s-agent.service

[Socket]
{}SocketMode=0600
DirectoryMode=0755
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
)",
                     listen);
}

std::string content_of(const fs::path& file) { return fs::exists(file) ? read_file(file) : std::string(); }

void add_programs(InstallPlan& plan, const InstallOptions& options) {
  const fs::path bin = options.root / (options.prefix / "bin").relative_path();
  for (const char* name : node_programs) {
    const fs::path source = options.programs / name;
    if (!fs::exists(source))
      throw Error(ErrorKind::not_found, fmt::format("{} is not there", source.string()),
                  "Run the flox that is in one directory with floxd and containerd-shim-flox-v1.");
    // A node whose programs are there already, by a package say, keeps them.
    if (std::error_code error; fs::equivalent(source, bin / name, error)) continue;
    plan.files.write(bin / name, read_file(source), 0755);
    // The runtime closure, which floxd reads when it starts, has the flox of pods.
    if (std::string_view(name).starts_with("flox") && plan.files.touches(bin / name))
      plan.floxd_changed = true;
  }
}

// The programs' pages and completions, beside the programs: they write them themselves.
void add_manual_pages(InstallPlan& plan, const InstallOptions& options) {
  const fs::path prefix = options.root / options.prefix.relative_path();
  // Whatever has brought the programs, a package say, brings these, too.
  if (std::error_code error; fs::equivalent(options.programs, prefix / "bin", error)) return;
  const TempDir share("flox-manual-");
  write_manual_pages(options.programs, share.path());
  std::map<fs::path, std::string> files;  // sorted
  for (const auto& entry : fs::recursive_directory_iterator(share.path()))
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(share.path())] = read_file(entry.path());
  for (auto& [place, content] : files) plan.files.write_counted(prefix / "share" / place, std::move(content));
}

void add_settings(InstallPlan& plan, const InstallOptions& options) {
  TomlValues values;
  const auto quoted = [](const std::string& text) { return fmt::format("\"{}\"", text); };
  if (!options.catalog_url.empty()) values.emplace_back("catalog_url", quoted(options.catalog_url));
  if (!options.trusted_keys.empty())
    values.emplace_back("trusted_keys", fmt::format("[\"{}\"]", fmt::join(options.trusted_keys, "\", \"")));
  if (!options.namespace_environments.empty())
    values.emplace_back("namespace_environments",
                        fmt::format("[\"{}\"]", fmt::join(options.namespace_environments, "\", \"")));
  if (options.allow_unsigned) values.emplace_back("allow_unsigned", "true");
  if (!options.store_writer.empty()) {
    values.emplace_back("store_writer", quoted(options.store_writer));
    values.emplace_back("root", quoted(reader_root));
  }
  if (options.nri)
    values.emplace_back("nri_socket",
                        quoted(plugin_socket(plan.containerd, content_of(plan.containerd.config)).string()));
  if (const fs::path root = containerd_root(plan.containerd, content_of(plan.containerd.config));
      root != "/var/lib/containerd")
    values.emplace_back("containerd_root", quoted(root.string()));
  if (values.empty()) return;
  const fs::path file = options.root / "etc/flox/config.toml";
  const std::string text = set_toml_values(content_of(file), {}, values, file.string());
  // A catalog's URL can name a password, and the file may hold a token: then it is root's alone.
  const bool secret = options.catalog_url.find('@') != std::string::npos ||
                      !toml_value(text, {"catalog_token"}, file.string()).empty();
  plan.files.write(file, text, secret ? 0600 : 0);
  plan.floxd_changed |= plan.files.touches(file);
}

// The owners whom the installing user trusts. What the node has of an owner stays as it is: its root may be a
// newer one, and its patterns the operator's.
void add_trust(InstallPlan& plan, const InstallOptions& options) {
  const fs::path directory = options.root / "etc/flox/trust";
  const fs::path state = options.root / "var/lib/flox/trust";
  const trust::TrustStore of_node(directory, state);
  bool is_any = !of_node.owners().empty();
  if (!options.trust_from.empty())
    for (const std::string& owner : trust::TrustStore(options.trust_from, state).owners()) {
      is_any = true;
      if (of_node.trusts(owner)) continue;
      for (const char* name : {"root.json", "packages"})
        if (const fs::path file = options.trust_from / owner / name; fs::exists(file))
          plan.files.write(directory / owner / name, read_file(file));
    }
  for (const std::string& text : options.trusted_roots) {
    const auto root = trust::Signed<trust::Root>::parse(text, "--trusted-root");
    trust::require_signers(root.message, root.signatures, root.content.keys, root.content.root, "root",
                           "--trusted-root");
    is_any = true;
    if (!of_node.trusts(root.content.owner))
      plan.files.write(directory / root.content.owner / "root.json", text);
  }
  if (!is_any && !options.allow_unsigned)
    plan.warnings.push_back(
        fmt::format("no owner is trusted on this node, so that it runs nothing: run '{}' as root, or pass "
                    "--trust-from DIR with your own trust directory (~/.config/flox/trust)",
                    trust::accept_command("OWNER")));
}

std::set<std::string> stub_registries(const InstallOptions& options) {
  std::set<std::string> registries;
  for (const auto& [image, manifest] : make_stub_images(options.programs / "flox-pause").manifests)
    registries.insert(image.substr(0, image.find('/')));
  return registries;
}

// The key that there is, or a new one.
std::string registry_key(InstallPlan& plan, const InstallOptions& options) {
  constexpr size_t key_size = 32;  // bytes
  const fs::path file = options.root / options.registry_key_file.relative_path();
  std::string key = content_of(file);
  key = key.substr(0, key.find('\n'));
  if (key.size() != 2 * key_size || key.find_first_not_of("0123456789abcdef") != std::string::npos)
    key = to_hex(random_bytes(key_size));
  plan.files.write(file, key + "\n", 0600);
  plan.floxd_changed |= plan.files.touches(file);
  return key;
}

// k3s makes the hosts.toml files from a file of its own.
void add_k3s_registries(InstallPlan& plan, const InstallOptions& options, const std::string& endpoint) {
  const fs::path file = options.root / k3s_registries;
  std::string mirrors = "mirrors:\n";
  for (const auto& registry : stub_registries(options))
    mirrors += fmt::format("  {}:\n    endpoint: [\"{}\"]\n", registry, endpoint);
  const std::string text = content_of(file);
  if (text.find(endpoint) != std::string::npos) return;
  if (!text.empty()) {
    plan.warnings.push_back(
        fmt::format("{} is yours: pods with imagePullPolicy Always need these lines in it to start without a "
                    "network:\n{}",
                    file.string(), mirrors));
    return;
  }
  plan.files.write(file, "# By flox node install: the stub images come from floxd on this node.\n" + mirrors,
                   0600);
  plan.containerd_changed = true;
}

void add_containerd(InstallPlan& plan, const InstallOptions& options) {
  const Containerd& containerd = plan.containerd;
  std::string text = content_of(containerd.config);
  text = with_handler(containerd, text,
                      {.shim = options.prefix / "bin" / shim_name,
                       .default_runtime = options.default_runtime,
                       .sandbox_image = options.sandbox_image,
                       .sandbox_api = options.sandbox_api});
  if (options.nri) text = with_plugins(containerd, text);
  if (const std::string file = handler_options_file(containerd, text); !file.empty())
    plan.files.write(options.root / fs::path(handler_options_path).relative_path(), file);
  const std::string endpoint =
      options.registry_address ? "http://" + options.registry_address->to_string() : "";
  if (endpoint.empty()) {
    plan.warnings.push_back(
        "no registry_address: pods with imagePullPolicy Always will ask ghcr.io for their stub image, and no "
        "environment can be an image");
  } else if (containerd.k3s) {
    add_k3s_registries(plan, options, endpoint);
  } else {
    try {
      fs::path directory;
      std::tie(text, directory) = with_hosts_directory(containerd, text);
      for (const auto& registry : stub_registries(options)) {
        const fs::path file = options.root / directory.relative_path() / registry / "hosts.toml";
        plan.files.write(file, with_mirror(content_of(file), registry, endpoint));
      }
      plan.files.write(options.root / directory.relative_path() / image_host / "hosts.toml",
                       own_registry(endpoint, registry_key(plan, options)), 0600);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::conflict) throw;
      plan.warnings.push_back(
          fmt::format("{}: pods with imagePullPolicy Always will need ghcr.io. To change that: {}",
                      error.what(), error.advice()));
    }
  }
  plan.files.write(containerd.config, text);
  plan.containerd_changed |= plan.files.touches(containerd.config);
}

// What config.json of a shim's bundle says of its pod.
std::string pod_of_bundle(const fs::path& bundle) {
  try {
    const auto annotations = parse_json(read_file(bundle / "config.json"), "config.json").at("annotations");
    return annotations.at("io.kubernetes.cri.sandbox-namespace").get<std::string>() + "/" +
           annotations.at("io.kubernetes.cri.sandbox-name").get<std::string>();
  } catch (const std::exception&) {
    return {};  // no pod's, or just going
  }
}

// The value of an option ("-id") on a command line with NULs between its words; empty if it is not there.
std::string option_of(const std::string& arguments, std::string_view name) {
  const std::string option = fmt::format("{}{}", name, '\0');
  const size_t at = arguments.find(option);
  return at == std::string::npos ? "" : std::string(arguments.c_str() + at + option.size());
}

// The pod of a shim with this command line. containerd keeps its bundles beside its socket, unless it is told
// otherwise.
std::string pod_of_shim(const std::string& arguments) {
  const std::string id = option_of(arguments, "-id");
  const fs::path state = fs::path(option_of(arguments, "-address")).parent_path();
  const std::string pod =
      pod_of_bundle(state / "io.containerd.runtime.v2.task" / option_of(arguments, "-namespace") / id);
  return pod.empty() ? id : pod;
}

}  // namespace

InstallPlan plan_installation(const InstallOptions& options) {
  return in_context("planning the installation", [&] {
    InstallPlan plan;
    plan.containerd = find_containerd(options.root, options.containerd_config);
    plan.systemd = has_systemd(options.root);
    add_programs(plan, options);
    add_manual_pages(plan, options);
    add_settings(plan, options);
    add_trust(plan, options);
    if (plan.systemd && options.service) {
      const fs::path service = options.root / fs::path(service_unit_file).relative_path();
      const fs::path socket = options.root / fs::path(socket_unit_file).relative_path();
      plan.files.write(service, unit(options.prefix));
      plan.files.write(socket, socket_unit(options));
      plan.sockets_changed = plan.files.touches(socket);
      plan.floxd_changed |= plan.sockets_changed || plan.files.touches(service);
    }
    add_containerd(plan, options);
    return plan;
  });
}

fs::path installation_record(const fs::path& root) { return root / "var/lib/flox/node"; }

std::vector<std::string> running_pods() {
  std::set<std::string> pods;
  const fs::path program = program_in_path(shim_name);
  if (program.empty()) return {};
  for (const pid_t pid : root_processes_of(program)) try {
      pods.insert(pod_of_shim(read_file(fmt::format("/proc/{}/cmdline", pid))));
    } catch (const Error&) {
      // It has ended meanwhile.
    }
  return {pods.begin(), pods.end()};
}

fs::path containerd_socket(const Containerd& containerd) {
  return containerd.k3s ? "/run/k3s/containerd/containerd.sock" : "/run/containerd/containerd.sock";
}

}  // namespace flox::node
