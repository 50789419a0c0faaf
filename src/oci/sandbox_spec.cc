#include "oci/sandbox_spec.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/foreign_error.h"

namespace flox::oci {
namespace {

// A key that we do not know may ask for something: then the OCI runtime is to hear it.
bool has_only(const Json& object, std::initializer_list<std::string_view> keys, const char* where,
              std::string& why) {
  for (auto it = object.begin(); it != object.end(); ++it) {
    const bool known = std::ranges::find(keys, std::string_view(it.key())) != keys.end();
    const bool empty = it->empty() || (it->is_string() && it->get_ref<const std::string&>().empty());
    if (known || empty) continue;
    why = std::string(where) + "." + it.key();
    return false;
  }
  return true;
}

bool denies_all_devices(const Json& devices) {
  return devices.is_array() && devices.size() == 1 && !devices[0].value("allow", true) &&
         devices[0].value("access", "") == "rwm" && !devices[0].contains("type") &&
         !devices[0].contains("major");
}

}  // namespace

std::string_view namespace_of_sysctl(std::string_view name) {
  constexpr std::array ipc{"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                           "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
  if (name.find('/') != std::string_view::npos) return {};  // the other spelling: "net/ipv4/conf/eth0.1"
  if (name.starts_with("net.")) return "network";
  if (name.starts_with("fs.mqueue.") || std::ranges::find(ipc, name) != ipc.end()) return "ipc";
  return {};
}

bool SandboxSpec::has_namespace(std::string_view type) const {
  return std::ranges::any_of(namespaces, [type](const Namespace& entry) { return entry.type == type; });
}

std::optional<SandboxSpec> SandboxSpec::of(const RuntimeSpec& runtime_spec, std::string& why) {
  const Json& spec = runtime_spec.document();
  SandboxSpec result;
  try {
    if (runtime_spec.annotation("io.kubernetes.cri.container-type") != "sandbox") {
      why = "no sandbox";
      return std::nullopt;
    }
    const Json& process = spec.at("process");
    const Json& linux_part = spec.at("linux");
    if (!has_only(spec, {"ociVersion", "process", "root", "mounts", "annotations", "hostname", "linux"},
                  "spec", why) ||
        !has_only(process, {"user", "args", "env", "cwd", "capabilities", "noNewPrivileges", "oomScoreAdj"},
                  "process", why) ||
        !has_only(
            linux_part,
            {"resources", "cgroupsPath", "namespaces", "seccomp", "maskedPaths", "readonlyPaths", "sysctl"},
            "linux", why))
      return std::nullopt;
    if (process.at("args") != Json::array({"/pause"})) {
      why = "process.args";
      return std::nullopt;
    }
    const Json& user = process.at("user");
    if (!has_only(user, {"uid", "gid", "additionalGids"}, "process.user", why)) return std::nullopt;
    std::vector<uint64_t> ids{user.value("uid", uint64_t{0}), user.value("gid", uint64_t{0})};
    if (user.contains("additionalGids"))
      for (const Json& gid : user["additionalGids"]) ids.push_back(gid.get<uint64_t>());
    // Cut to 32 bits, 4294967296 would be root.
    if (std::ranges::any_of(ids, [](uint64_t id) { return id > UINT32_MAX; })) {
      why = "process.user: a number over 32 bits";
      return std::nullopt;
    }
    result.uid = static_cast<uint32_t>(ids[0]);
    result.gid = static_cast<uint32_t>(ids[1]);
    for (size_t i = 2; i < ids.size(); ++i) result.additional_gids.push_back(static_cast<uint32_t>(ids[i]));
    if (process.contains("oomScoreAdj")) result.oom_score_adj = process["oomScoreAdj"].get<int>();
    result.hostname = spec.value("hostname", "");

    const Json& resources = linux_part.at("resources");
    if (!has_only(resources, {"devices", "cpu"}, "linux.resources", why)) return std::nullopt;
    if (!denies_all_devices(resources.at("devices"))) {
      why = "linux.resources.devices";
      return std::nullopt;
    }
    if (resources.contains("cpu")) {
      if (!has_only(resources["cpu"], {"shares"}, "linux.resources.cpu", why)) return std::nullopt;
      result.cpu_shares = resources["cpu"].value("shares", uint64_t{0});
    }
    result.cgroups_path = linux_part.at("cgroupsPath").get<std::string>();
    if (!result.cgroups_path.starts_with('/') ||
        ("/" + result.cgroups_path + "/").find("/../") != std::string::npos) {
      why = "linux.cgroupsPath";  // systemd's form, relative to our own cgroup, or out of the cgroups
      return std::nullopt;
    }
    const Json& namespaces = linux_part.at("namespaces");
    for (const Json& entry : namespaces) {
      Namespace wanted{entry.at("type"), entry.value("path", "")};
      if (wanted.type == "user" || wanted.type == "time") {
        why = "linux.namespaces: " + wanted.type;
        return std::nullopt;
      }
      result.namespaces.push_back(std::move(wanted));
    }
    if (linux_part.contains("sysctl")) {
      const Json& sysctls = linux_part["sysctl"];
      for (auto it = sysctls.begin(); it != sysctls.end(); ++it) {
        const std::string_view owner = namespace_of_sysctl(it.key());
        if (owner.empty() || !result.has_namespace(owner)) {  // it would be set for the node
          why = "linux.sysctl: " + it.key();
          return std::nullopt;
        }
        result.sysctls.emplace_back(it.key(), it->get<std::string>());
      }
    }
    if (!result.hostname.empty() && !result.has_namespace("uts")) {  // likewise
      why = "hostname";
      return std::nullopt;
    }
    if (!result.has_namespace("mount")) {  // it gets a root of its own
      why = "linux.namespaces: no mount namespace";
      return std::nullopt;
    }
    return result;
  } catch (const Json::exception& error) {
    why = message_of(error);
    return std::nullopt;
  }
}

}  // namespace flox::oci
