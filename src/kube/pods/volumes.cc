#include "kube/pods/volumes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "kube/pods/keyed_volume.h"
#include "kube/pods/sub_path.h"

namespace flox::kube {
namespace {

// A volume's own directory: for everyone, or for the group, which new files inherit.
void own(int directory, const std::string& name, std::optional<int64_t> group) {
  if (group && ::fchown(directory, static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
    fail_errno(errno, "giving {} to group {}", name, *group);
  if (::fchmod(directory, group ? 02775 : 0777) != 0) fail_errno(errno, "making {} writable", name);
}

constexpr size_t deepest_owned = 128;  // levels of a claim's tree; a descriptor each

// Gives one entry of a directory to the group. A pod may swap it at any moment: what was opened is what
// changes.
void own_entry(const Directory& directory, const std::string& name, int64_t group) {
  const Fd entry = directory.open(name, O_PATH);
  struct stat status {};
  if (::fstat(entry.get(), &status) != 0 || status.st_gid == group) return;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
  if (::fchownat(entry.get(), "", static_cast<uid_t>(-1), static_cast<gid_t>(group), AT_EMPTY_PATH) != 0)
    fail_errno(errno, "giving {} to group {}", name, group);
  const mode_t extra = S_ISDIR(status.st_mode) ? 02070 : 0060;
  ::chmod(fmt::format("/proc/self/fd/{}", entry.get()).c_str(), (status.st_mode & 07777) | extra);
}

// Gives everything in a claim to the group, as Kubernetes does when it mounts a volume for an fsGroup. What
// other pods remove or swap meanwhile is passed over.
void own_tree(Directory root, int64_t group) {
  struct Level {
    Directory directory;
    std::vector<std::string> names;
  };
  std::vector<Level> levels;
  auto enter = [&](Directory directory) {
    std::vector<std::string> names = directory.names();
    levels.push_back({std::move(directory), std::move(names)});
  };
  enter(std::move(root));
  while (!levels.empty()) {
    if (levels.back().names.empty()) {
      levels.pop_back();
      continue;
    }
    const std::string name = std::move(levels.back().names.back());
    levels.back().names.pop_back();
    try {
      own_entry(levels.back().directory, name, group);
      const auto status = levels.back().directory.status(name);
      if (status && S_ISDIR(status->st_mode) && levels.size() < deepest_owned)
        enter(levels.back().directory.subdirectory(name));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::untrusted) throw;
    }
  }
}

bool is_mount_point(const Directory& parent, const std::string& name) {
  struct stat above {};
  const auto here = parent.status(name);
  return here && ::fstat(parent.fd(), &above) == 0 && here->st_dev != above.st_dev;
}

void prepare_empty_dir(const EmptyDirVolume& volume, const Directory& volumes, const std::string& name,
                       const fs::path& path, std::optional<int64_t> group) {
  if (volumes.exists(name) && (!volume.in_memory || is_mount_point(volumes, name))) return;
  volumes.make_directory(name, 0700);
  if (volume.in_memory) {
    const std::string options = volume.size_limit ? fmt::format("size={}", *volume.size_limit) : "";
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
      fail_errno(errno, "mounting a tmpfs on {}", path.string());
  }
  own(Directory(path).fd(), path, group);
}

std::string prepare_claim(const ClaimVolume& volume, const PodRecord& pod, const ObjectIndex& objects,
                          const StateDir& state) {
  if (!objects.find({"PersistentVolumeClaim", pod.namespace_(), volume.claim}))
    throw Error(ErrorKind::not_found, fmt::format("persistentvolumeclaim \"{}\" not found", volume.claim),
                "Play the PersistentVolumeClaim's manifest too.");
  const std::optional<int64_t> group = pod.spec().fs_group;
  const Directory& claims = state.claims_directory();
  const std::string path = file_name(pod.namespace_(), "namespace") + "/" + file_name(volume.claim, "claim");
  const bool is_new = !claims.exists(path);
  const Directory directory = claims.make_directory(path, 0700);
  if (is_new || group) own(directory.fd(), directory.name(), group);
  if (!is_new && group) own_tree(claims.subdirectory(path), *group);
  return state.claim_dir(pod.namespace_(), volume.claim);
}

std::map<std::string, KeyedFile> files_of(const KeyedVolume& volume, const KeyedData& data) {
  std::map<std::string, KeyedFile> files;
  if (volume.items.empty())
    for (const auto& [key, value] : data.data) files[key] = {value, volume.mode};
  for (const auto& item : volume.items) {
    const auto value = data.data.find(item.key);
    if (value == data.data.end() && volume.optional) continue;
    if (value == data.data.end())
      fail(ErrorKind::not_found, "{} \"{}\" has no key {}", volume.is_secret ? "secret" : "configmap",
           volume.object, item.key);
    files[item.path] = {value->second, item.mode.value_or(volume.mode)};
  }
  return files;
}

void prepare_keyed(const KeyedVolume& volume, const Directory& volumes, const std::string& name,
                   const PodRecord& pod, const ObjectIndex& objects) {
  const KeyedData* data = objects.keyed_data(volume.is_secret, pod.namespace_(), volume.object);
  if (!data && !volume.optional)
    throw Error(ErrorKind::not_found,
                fmt::format("{} \"{}\" not found", volume.is_secret ? "secret" : "configmap", volume.object),
                "Play its manifest too.");
  const Directory directory = volumes.make_directory(name, 0755);
  if (::fchmod(directory.fd(), 0755) != 0) fail_errno(errno, "setting the mode of {}", directory.name());
  write_keyed_volume(directory, data ? files_of(volume, *data) : std::map<std::string, KeyedFile>(),
                     pod.spec().fs_group);
}

bool is_of_type(mode_t mode, const std::string& type) {
  if (type.starts_with("Directory")) return S_ISDIR(mode);
  if (type.starts_with("File")) return S_ISREG(mode);
  if (type == "Socket") return S_ISSOCK(mode);
  if (type == "CharDevice") return S_ISCHR(mode);
  if (type == "BlockDevice") return S_ISBLK(mode);
  return type.empty();
}

// The machine's own path: whoever plays such a pod gives it to the pod.
std::string prepare_host_path(const HostPathVolume& volume) {
  const fs::path& path = volume.path;
  if (volume.type == "DirectoryOrCreate" && !fs::exists(path)) fs::create_directories(path);
  if (volume.type == "FileOrCreate" && !fs::exists(path)) Fd(open_file(path, O_CREAT | O_WRONLY, 0644));
  if (!fs::exists(path)) {
    if (!volume.type.empty()) fail(ErrorKind::not_found, "hostPath {}: does not exist", volume.path);
    fs::create_directories(path);  // as container runtimes do
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail_errno(errno, "examining hostPath {}", volume.path);
  if (!is_of_type(status.st_mode, volume.type))
    fail(ErrorKind::invalid_input, "hostPath {}: is not of type {}", volume.path, volume.type);
  return volume.path;
}

}  // namespace

std::map<std::string, std::string> prepare_volumes(const PodRecord& pod, const ObjectIndex& objects,
                                                   const StateDir& state) {
  std::map<std::string, std::string> paths;
  const fs::path root = state.pod_dir(pod.uid) / "volumes";
  const Directory volumes =
      state.pods_directory().make_directory(file_name(pod.uid, "pod") + "/volumes", 0700);
  for (const auto& volume : pod.spec().volumes)
    paths[volume.name] = in_context(fmt::format("volume {}", volume.name), [&]() -> std::string {
      const fs::path path = root / file_name(volume.name, "volume");
      if (const auto* source = std::get_if<ClaimVolume>(&volume.source))
        return prepare_claim(*source, pod, objects, state);
      if (const auto* source = std::get_if<HostPathVolume>(&volume.source)) return prepare_host_path(*source);
      if (const auto* source = std::get_if<EmptyDirVolume>(&volume.source))
        prepare_empty_dir(*source, volumes, volume.name, path, pod.spec().fs_group);
      else
        prepare_keyed(std::get<KeyedVolume>(volume.source), volumes, volume.name, pod, objects);
      return path;
    });
  return paths;
}

void remove_volumes(const std::string& pod_uid, const StateDir& state) {
  unmount_below(state.pod_dir(pod_uid));
  state.pods_directory().remove(pod_uid);
}

}  // namespace flox::kube
