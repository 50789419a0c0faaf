#include "kube/pods/keyed_volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "base/error.h"
#include "kube/pods/pod_record.h"
#include "kube/reading/names.h"

namespace flox::kube {
namespace {

// A file or directory that we have just made ourselves.
void set_owner(const Directory& directory, const std::string& path, std::optional<int64_t> group,
               unsigned mode) {
  const Fd file = directory.open(path, O_RDONLY);
  if (group && ::fchown(file.get(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
    fail_errno(errno, "giving {} to group {}", path, *group);
  if (::fchmod(file.get(), mode) != 0) fail_errno(errno, "setting the mode of {}", path);
}

void write_files(const Directory& data, const std::map<std::string, KeyedFile>& files,
                 std::optional<int64_t> group) {
  for (const auto& [path, file] : files) {
    if (!is_item_path(path)) fail(ErrorKind::invalid_input, "{} is not a path inside the volume", path);
    for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      data.make_directory(path.substr(0, slash), 0755);
      set_owner(data, path.substr(0, slash), group, 0755);
    }
    data.create_file(path, file.content, 0600);
    // As the kubelet: the group may read whatever the mode says.
    set_owner(data, path, group, file.mode | (group ? 0440 : 0));
  }
}

bool is_link_to(const Directory& directory, const std::string& name, const std::string& target) {
  const auto status = directory.status(name);
  return status && S_ISLNK(status->st_mode) && directory.read_link(name) == target;
}

}  // namespace

void write_keyed_volume(const Directory& volume, const std::map<std::string, KeyedFile>& files,
                        std::optional<int64_t> group) {
  const std::string fresh = "..data-" + random_uid();
  try {
    const Directory data = volume.make_directory(fresh, 0755);
    set_owner(volume, fresh, group, 0755);
    write_files(data, files, group);
    volume.remove("..data_tmp");
    volume.make_link("..data_tmp", fresh);
    volume.rename("..data_tmp", volume, "..data");
  } catch (const Error&) {
    volume.remove(fresh);
    throw;
  }
  std::set<std::string> shown;
  for (const auto& [path, file] : files) shown.insert(path.substr(0, path.find('/')));
  const std::vector<std::string> present = volume.names();
  const std::set<std::string> there(present.begin(), present.end());
  for (const auto& name : shown) {
    if (there.contains(name) && is_link_to(volume, name, "..data/" + name)) continue;
    volume.remove(name);
    volume.make_link(name, "..data/" + name);
  }
  for (const auto& name : there)
    if (name != fresh && name != "..data" && !shown.contains(name)) volume.remove(name);
}

}  // namespace flox::kube
