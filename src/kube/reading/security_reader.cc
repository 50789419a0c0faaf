#include "kube/reading/security_reader.h"

#include <algorithm>

#include "kube/reading/names.h"

namespace flox::kube {
namespace {

constexpr int64_t biggest_id = 2147483647;

constexpr FieldRule container_security_rules[] = {
    {"procMount", Treatment::refused, "only Default is supported here", "Default"},
    {"seLinuxOptions", Treatment::refused, "SELinux labels are not supported here"},
    {"windowsOptions", Treatment::refused, "pods run on Linux here"},
};

constexpr FieldRule pod_security_rules[] = {
    {"seLinuxOptions", Treatment::refused, "SELinux labels are not supported here"},
    {"seLinuxChangePolicy", Treatment::silent},
    {"supplementalGroupsPolicy", Treatment::refused, "only Merge is supported here", "Merge"},
    {"windowsOptions", Treatment::refused, "pods run on Linux here"},
};

SecurityProfile read_profile(Fields& fields) {
  SecurityProfile profile;
  profile.type = fields.required_text("type");
  if (profile.type != "RuntimeDefault" && profile.type != "Unconfined" && profile.type != "Localhost")
    fields.reject("type", "must be RuntimeDefault, Unconfined or Localhost");
  profile.localhost = fields.text("localhostProfile");
  if ((profile.type == "Localhost") != !profile.localhost.empty())
    fields.reject("localhostProfile", "is given with the type Localhost, and only with it");
  if (!profile.localhost.empty() && !is_descending_path(profile.localhost))
    fields.reject("localhostProfile", "must be a relative path without \"..\"");
  return profile;
}

SecurityProfile read_profile(Fields& parent, const char* key) {
  if (!parent.has(key)) return {};
  return parent.map(key, [](Fields& fields) { return read_profile(fields); });
}

// capabilities(7), without "CAP_". A runtime drops nothing for a name that it does not know, "CAP_NET_RAW"
// among them, and says nothing.
bool is_capability(std::string_view name) {
  static constexpr std::string_view known =
      " ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE "
      "DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE "
      "MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG "
      "SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE "
      "SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ";
  return name.find(' ') == name.npos && known.find(fmt::format(" {} ", name)) != known.npos;
}

std::vector<std::string> read_capabilities(Fields& capabilities, const char* key) {
  std::vector<std::string> names = capabilities.texts(key);
  for (const auto& name : names)
    if (!is_capability(name))
      capabilities.reject(key, fmt::format("{} is not a capability; they are written as NET_RAW is", name));
  return names;
}

bool contains(const std::vector<std::string>& list, const char* word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

SecurityContext read_container_security(Fields& fields) {
  SecurityContext security;
  security.run_as_user = fields.integer("runAsUser", 0, biggest_id);
  security.run_as_group = fields.integer("runAsGroup", 0, biggest_id);
  security.run_as_non_root = fields.boolean("runAsNonRoot");
  security.read_only_root = fields.boolean("readOnlyRootFilesystem").value_or(false);
  security.privileged = fields.boolean("privileged").value_or(false);
  security.allow_privilege_escalation = fields.boolean("allowPrivilegeEscalation").value_or(true);
  fields.map("capabilities", [&](Fields& capabilities) {
    security.add_capabilities = read_capabilities(capabilities, "add");
    security.drop_capabilities = read_capabilities(capabilities, "drop");
  });
  if (!security.allow_privilege_escalation &&
      (security.privileged || contains(security.add_capabilities, "SYS_ADMIN")))
    fields.reject("allowPrivilegeEscalation",
                  "cannot be false for a container that is privileged or has SYS_ADMIN");
  security.seccomp = read_profile(fields, "seccompProfile");
  security.apparmor = read_profile(fields, "appArmorProfile");
  return security;
}

std::pair<std::string, std::string> read_sysctl(Fields& fields) {
  std::string name = fields.required_text("name");
  return {std::move(name), fields.required_text("value")};
}

}  // namespace

SecurityContext read_security(Fields& container) {
  return container.map("securityContext", read_container_security, container_security_rules);
}

void read_pod_security(Fields& pod, PodSpec& spec) {
  pod.map(
      "securityContext",
      [&](Fields& fields) {
        spec.run_as_user = fields.integer("runAsUser", 0, biggest_id);
        spec.run_as_group = fields.integer("runAsGroup", 0, biggest_id);
        spec.fs_group = fields.integer("fsGroup", 0, biggest_id);
        spec.run_as_non_root = fields.boolean("runAsNonRoot");
        fields.word("fsGroupChangePolicy", {"Always", "OnRootMismatch"});
        spec.supplemental_groups = fields.integers("supplementalGroups", 0, biggest_id);
        for (auto& [name, value] : fields.maps("sysctls", read_sysctl)) spec.sysctls[name] = value;
        spec.seccomp = read_profile(fields, "seccompProfile");
        spec.apparmor = read_profile(fields, "appArmorProfile");
      },
      pod_security_rules);
}

void check_profile_annotations(Fields& metadata, const StringMap& annotations) {
  for (const auto& [key, value] : annotations) {
    if (key.starts_with("container.apparmor.security.beta.kubernetes.io/") && value != "unconfined")
      metadata.reject("annotations",
                      fmt::format("refused; write {} as securityContext.appArmorProfile", key));
    if ((key.starts_with("seccomp.security.alpha.kubernetes.io/") ||
         key.starts_with("container.seccomp.security.alpha.kubernetes.io/")) &&
        value != "unconfined")
      metadata.reject("annotations", fmt::format("refused; write {} as securityContext.seccompProfile", key));
  }
}

}  // namespace flox::kube
