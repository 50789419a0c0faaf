#include "kube/volumes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace flox::kube {
namespace {

void own(const fs::path& path, std::optional<int64_t> group) {
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
    fail_errno(errno, "giving {} to group {}", path.string(), *group);
  if (::chmod(path.c_str(), group ? 02775 : 0777) != 0)
    fail_errno(errno, "making {} writable", path.string());
}

// Gives everything in a claim to the group, as Kubernetes does when it mounts a volume for an fsGroup.
void own_tree(const fs::path& root, int64_t group) {
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    struct stat status {};
    if (::lstat(entry.path().c_str(), &status) != 0 || S_ISLNK(status.st_mode) || status.st_gid == group)
      continue;
    if (::lchown(entry.path().c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0)
      fail_errno(errno, "giving {} to group {}", entry.path().string(), group);
    const mode_t extra = S_ISDIR(status.st_mode) ? 02070 : 0060;
    ::chmod(entry.path().c_str(), (status.st_mode & 07777) | extra);
  }
}

bool is_mount_point(const fs::path& path) {
  struct stat here {
  }, parent{};
  return ::lstat(path.c_str(), &here) == 0 && ::lstat(path.parent_path().c_str(), &parent) == 0 &&
         here.st_dev != parent.st_dev;
}

std::string prepare_empty_dir(const EmptyDirVolume& volume, const fs::path& path,
                              std::optional<int64_t> group) {
  if (fs::exists(path) && (!volume.in_memory || is_mount_point(path))) return path;
  fs::create_directories(path);
  if (volume.in_memory) {
    const std::string options = volume.size_limit ? fmt::format("size={}", *volume.size_limit) : "";
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
      fail_errno(errno, "mounting a tmpfs on {}", path.string());
  }
  own(path, group);
  return path;
}

std::string prepare_claim(const ClaimVolume& volume, const PodRecord& pod, const ObjectIndex& objects,
                          const StateDir& state) {
  if (!objects.find({"PersistentVolumeClaim", pod.namespace_(), volume.claim}))
    throw Error(ErrorKind::not_found, fmt::format("persistentvolumeclaim \"{}\" not found", volume.claim),
                "Play the PersistentVolumeClaim's manifest too.");
  const fs::path path = state.claim_dir(pod.namespace_(), volume.claim);
  const std::optional<int64_t> group = pod.spec().fs_group;
  if (!fs::exists(path)) {
    fs::create_directories(path);
    own(path, group);
  } else if (group) {
    own(path, group);
    own_tree(path, *group);
  }
  return path;
}

void write_key(const fs::path& root, const std::string& relative, const std::string& value, unsigned mode,
               std::optional<int64_t> group) {
  const fs::path path = root / relative;
  fs::create_directories(path.parent_path());
  write_file(path, value, mode | (group ? 0040 : 0));
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
    fail_errno(errno, "giving {} to group {}", path.string(), *group);
}

std::string prepare_keyed(const KeyedVolume& volume, const fs::path& path, const PodRecord& pod,
                          const ObjectIndex& objects) {
  const char* kind = volume.is_secret ? "secret" : "configmap";
  const KeyedData* data = objects.keyed_data(volume.is_secret, pod.namespace_(), volume.object);
  if (!data && !volume.optional)
    throw Error(ErrorKind::not_found, fmt::format("{} \"{}\" not found", kind, volume.object),
                "Play its manifest too.");
  fs::create_directories(path);
  if (!data) return path;
  const auto group = pod.spec().fs_group;
  if (volume.items.empty())
    for (const auto& [key, value] : data->data) write_key(path, key, value, volume.mode, group);
  for (const auto& item : volume.items) {
    const auto value = data->data.find(item.key);
    if (value == data->data.end() && volume.optional) continue;
    if (value == data->data.end())
      fail(ErrorKind::not_found, "{} \"{}\" has no key {}", kind, volume.object, item.key);
    write_key(path, item.path, value->second, item.mode.value_or(volume.mode), group);
  }
  return path;
}

std::string prepare_host_path(const HostPathVolume& volume) {
  const fs::path& path = volume.path;
  const bool directory = volume.type.starts_with("Directory"), file = volume.type.starts_with("File");
  if (volume.type == "DirectoryOrCreate" && !fs::exists(path)) fs::create_directories(path);
  if (volume.type == "FileOrCreate" && !fs::exists(path)) Fd(open_file(path, O_CREAT | O_WRONLY, 0644));
  if (!fs::exists(path)) {
    if (!volume.type.empty()) fail(ErrorKind::not_found, "hostPath {}: does not exist", volume.path);
    fs::create_directories(path);  // as container runtimes do
  }
  if ((directory && !fs::is_directory(path)) || (file && !fs::is_regular_file(path)) ||
      (volume.type == "Socket" && !fs::is_socket(path)))
    fail(ErrorKind::invalid_input, "hostPath {}: is not of type {}", volume.path, volume.type);
  return volume.path;
}

}  // namespace

std::map<std::string, std::string> prepare_volumes(const PodRecord& pod, const ObjectIndex& objects,
                                                   const StateDir& state) {
  std::map<std::string, std::string> paths;
  const fs::path root = state.pod_dir(pod.uid) / "volumes";
  fs::create_directories(root);
  for (const auto& volume : pod.spec().volumes)
    paths[volume.name] = in_context(fmt::format("volume {}", volume.name), [&]() -> std::string {
      if (const auto* source = std::get_if<EmptyDirVolume>(&volume.source))
        return prepare_empty_dir(*source, root / volume.name, pod.spec().fs_group);
      if (const auto* source = std::get_if<ClaimVolume>(&volume.source))
        return prepare_claim(*source, pod, objects, state);
      if (const auto* source = std::get_if<KeyedVolume>(&volume.source))
        return prepare_keyed(*source, root / volume.name, pod, objects);
      return prepare_host_path(std::get<HostPathVolume>(volume.source));
    });
  return paths;
}

std::string mount_source(const std::string& volume_path, const VolumeMount& mount) {
  if (mount.sub_path.empty()) return volume_path;
  const fs::path path = fs::path(volume_path) / mount.sub_path;
  const std::string real = fs::weakly_canonical(path), volume = fs::canonical(volume_path);
  if (real != volume && !real.starts_with(volume + "/"))
    fail(ErrorKind::untrusted, "volume {}: subPath {} leads out of the volume", mount.volume, mount.sub_path);
  if (!fs::exists(real)) fs::create_directories(real);
  return real;
}

void remove_volumes(const PodRecord& pod, const StateDir& state) {
  for (const auto& volume : pod.spec().volumes) {
    const fs::path path = state.pod_dir(pod.uid) / "volumes" / volume.name;
    const auto* empty = std::get_if<EmptyDirVolume>(&volume.source);
    if (empty && empty->in_memory && is_mount_point(path) && ::umount2(path.c_str(), MNT_DETACH) != 0)
      fail_errno(errno, "unmounting {}", path.string());
  }
  remove_tree(state.pod_dir(pod.uid));
}

}  // namespace flox::kube
