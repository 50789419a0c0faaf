#include "shim/sandbox/pod_files.h"

#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "oci/mount.h"

namespace flox::shim {
namespace {

namespace fs = std::filesystem;

constexpr const char* shm_size = "size=67108864";  // as CRI makes it
constexpr std::array file_names{"hostname", "hosts", "resolv.conf"};

std::string node_hostname() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) fail_errno(errno, "reading the node's hostname");
  return name.data();
}

std::string file_of_node(const fs::path& path) { return fs::exists(path) ? read_file(path) : std::string(); }

bool has_read_only_root(const oci::RuntimeSpec& spec) {
  const auto root = spec.document().find("root");
  return root != spec.document().end() && root->is_object() && root->value("readonly", false);
}

// Where the container's own tmpfs stands in the list of mounts; nothing if something else is at /dev/shm.
std::optional<size_t> own_shm(const oci::RuntimeSpec& spec) {
  const auto mounts = spec.document().find("mounts");
  if (mounts == spec.document().end() || !mounts->is_array()) return std::nullopt;
  std::optional<size_t> place;
  for (size_t i = 0; i < mounts->size(); ++i) {
    const oci::Json& mount = (*mounts)[i];
    if (!mount.is_object() || mount.value("destination", "") != "/dev/shm") continue;
    if (mount.value("type", "") != "tmpfs" || mount.value("source", "") != "shm") return std::nullopt;
    place = i;
  }
  return place;
}

}  // namespace

void PodFiles::make(const PodConfig& config) const {
  const Directory bundle(bundle_);
  bundle.write_file("hostname", (config.hostname.empty() ? node_hostname() : config.hostname) + "\n");
  bundle.write_file("hosts", file_of_node("/etc/hosts"));
  bundle.write_file("resolv.conf",
                    config.resolv_conf ? *config.resolv_conf : file_of_node("/etc/resolv.conf"));
  if (config.host_ipc) return;
  bundle.make_directory("rootfs", 0711);
  oci::mount_all({{"tmpfs", "shm", "", {"nosuid", "nodev", "noexec", "mode=1777", shm_size}}}, shm());
}

void PodFiles::add_to(oci::RuntimeSpec& spec, const PodConfig& config) const {
  const char* access = has_read_only_root(spec) ? "ro" : "rw";
  for (const char* name : file_names) {
    const std::string destination = std::string("/etc/") + name;
    if (spec.mount_source(destination).empty())
      spec.add_mount({destination, "bind", bundle_ / name, {"rbind", "rprivate", access}});
  }
  if (config.host_ipc) return;
  if (const auto place = own_shm(spec))
    spec.set_mount(*place, {"/dev/shm", "bind", shm(), {"rbind", "rprivate", "rw"}});
}

void PodFiles::unmount() const { oci::unmount_all(shm()); }

}  // namespace flox::shim
