#include "oci/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/os/file.h"
#include "oci/id_mapping.h"

namespace flox::oci {
namespace {

struct Flag {
  bool clear;
  unsigned long bits;
};

// Names as mount(8) has them.
const std::map<std::string_view, Flag> flags{
    {"async", {true, MS_SYNCHRONOUS}},
    {"atime", {true, MS_NOATIME}},
    {"bind", {false, MS_BIND}},
    {"defaults", {false, 0}},
    {"dev", {true, MS_NODEV}},
    {"diratime", {true, MS_NODIRATIME}},
    {"dirsync", {false, MS_DIRSYNC}},
    {"exec", {true, MS_NOEXEC}},
    {"mand", {false, MS_MANDLOCK}},
    {"noatime", {false, MS_NOATIME}},
    {"nodev", {false, MS_NODEV}},
    {"nodiratime", {false, MS_NODIRATIME}},
    {"noexec", {false, MS_NOEXEC}},
    {"nomand", {true, MS_MANDLOCK}},
    {"norelatime", {true, MS_RELATIME}},
    {"nostrictatime", {true, MS_STRICTATIME}},
    {"nosuid", {false, MS_NOSUID}},
    {"rbind", {false, MS_BIND | MS_REC}},
    {"relatime", {false, MS_RELATIME}},
    {"remount", {false, MS_REMOUNT}},
    {"ro", {false, MS_RDONLY}},
    {"rw", {true, MS_RDONLY}},
    {"strictatime", {false, MS_STRICTATIME}},
    {"suid", {true, MS_NOSUID}},
    {"sync", {false, MS_SYNCHRONOUS}},
};
const std::map<std::string_view, unsigned long> propagations{
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
    {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
};

struct Options {
  unsigned long flags = 0;
  std::vector<unsigned long> propagation;
  std::string data;
  std::string uid_map, gid_map;  // as /proc/PID/uid_map has them; empty: files keep their users
};

Options parse_options(const std::vector<std::string>& options) {
  Options result;
  for (const std::string& option : options) {
    if (auto flag = flags.find(option); flag != flags.end()) {
      if (flag->second.clear)
        result.flags &= ~flag->second.bits;
      else
        result.flags |= flag->second.bits;
    } else if (auto propagation = propagations.find(option); propagation != propagations.end()) {
      result.propagation.push_back(propagation->second);
    } else if (option.starts_with("uidmap=")) {
      result.uid_map = to_id_map(std::string_view(option).substr(7));
    } else if (option.starts_with("gidmap=")) {
      result.gid_map = to_id_map(std::string_view(option).substr(7));
    } else if (option == "loop") {
      fail(ErrorKind::invalid_input, "mount option \"loop\" is not supported");
    } else if (!option.empty()) {
      if (!result.data.empty()) result.data += ',';
      result.data += option;
    }
  }
  if (result.uid_map.empty() != result.gid_map.empty())
    fail(ErrorKind::invalid_input, "a mount with one of the options uidmap and gidmap");
  return result;
}

// The longest common directory of an overlay's lower layers, to be left out of the options: the kernel takes
// no more than a page of them, and forty layers of containerd's snapshotter fill one.
std::string shorten_lowerdirs(std::string& data) {
  size_t begin = data.find("lowerdir=");
  if (begin == std::string::npos) return {};
  begin += 9;
  size_t end = std::min(data.find(',', begin), data.size());
  std::string lower = data.substr(begin, end - begin);
  std::vector<std::string> layers;
  for (size_t at = 0; at <= lower.size();) {
    size_t colon = std::min(lower.find(':', at), lower.size());
    layers.push_back(lower.substr(at, colon - at));
    at = colon + 1;
  }
  std::string common = layers[0].substr(0, layers[0].rfind('/') + 1);
  for (const std::string& layer : layers)
    while (!layer.starts_with(common)) common = common.substr(0, common.rfind('/', common.size() - 2) + 1);
  if (common.size() < 2) return {};
  std::string shorter;
  for (const std::string& layer : layers) {
    if (!shorter.empty()) shorter += ':';
    shorter.append(layer, common.size());
  }
  data.replace(begin, end - begin, shorter);
  return common;
}

// Changes the working directory for as long as it lives. Only for a single-threaded program.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::string& path) : before_(open_file(".", O_RDONLY | O_DIRECTORY)) {
    if (::chdir(path.c_str()) != 0) fail_errno(errno, "entering {}", path);
  }
  ~WorkingDirectory() { [[maybe_unused]] int ignored = ::fchdir(before_.get()); }

 private:
  Fd before_;
};

void mount_one(const Mount& mount, const fs::path& target) {
  Options options = parse_options(mount.options);
  if (mount.type == "bind") options.flags |= MS_BIND;
  const bool bind = (options.flags & MS_BIND) != 0;
  Fd users;  // the user namespace whose users the files are to have
  if (!options.uid_map.empty()) users = make_user_namespace(options.uid_map, options.gid_map);
  if (users && !bind && mount.type != "overlay")
    fail(ErrorKind::invalid_input, "a {} cannot have uidmap", mount.type);
  std::optional<WorkingDirectory> directory;
  if (users && mount.type == "overlay") {
    // The lower layers are shown by a mount on the very place that the overlay then covers, where unmounting
    // finds it, whenever we are killed.
    const std::string common = shorten_lowerdirs(options.data);
    if (common.empty())
      fail(ErrorKind::invalid_input, "an overlay with uidmap whose layers have no place in common");
    attach_mount(mapped_mount(common, users), target);
    directory.emplace(target.string());
  } else if (mount.type == "overlay" && options.data.size() >= static_cast<size_t>(::getpagesize()) - 1) {
    std::string common = shorten_lowerdirs(options.data);
    if (!common.empty()) directory.emplace(common);
  }
  if (mount.type == "overlay" && options.data.size() >= static_cast<size_t>(::getpagesize()) - 1)
    fail(ErrorKind::invalid_input, "overlay with {} bytes of options, more than a page", options.data.size());
  // A bind mount ignores other flags at first; they need a second, remounting call.
  unsigned long first = bind ? options.flags & (MS_BIND | MS_REC) : options.flags;
  if (users && bind)
    attach_mount(mapped_mount(mount.source, users), target);
  else if (::mount(mount.source.c_str(), target.c_str(), mount.type.c_str(), first, options.data.c_str()) !=
           0)
    fail_errno(errno, "mounting {} {} on {}", mount.type, mount.source, target.string());
  if (bind && (options.flags & ~(MS_BIND | MS_REC)) != 0 &&
      ::mount("", target.c_str(), "", options.flags | MS_REMOUNT, options.data.c_str()) != 0)
    fail_errno(errno, "remounting {} on {} with its options", mount.source, target.string());
  for (unsigned long propagation : options.propagation)
    if (::mount("", target.c_str(), "", propagation, "") != 0)
      fail_errno(errno, "setting the propagation of {}", target.string());
}

// "\040" and the like in /proc/self/mountinfo.
std::string unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result.push_back(
          static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0')));
      i += 3;
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// Mount points at and below `path`, in the order in which they were mounted.
std::vector<std::string> mount_points_below(const std::string& path) {
  std::vector<std::string> result;
  std::string table = read_file("/proc/self/mountinfo");
  for (size_t begin = 0; begin < table.size();) {
    size_t end = std::min(table.find('\n', begin), table.size());
    std::string_view line(table.data() + begin, end - begin);
    begin = end + 1;
    for (int field = 0; field < 4; ++field) line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
    std::string point = unescape(line.substr(0, line.find(' ')));
    if (point == path || point.starts_with(path + "/")) result.push_back(std::move(point));
  }
  return result;
}

}  // namespace

void mount_all(const std::vector<Mount>& mounts, const fs::path& root) {
  try {
    for (const Mount& mount : mounts)
      mount_one(mount, mount.target.empty() ? root : root / fs::path(mount.target).relative_path());
  } catch (const Error&) {
    unmount_all(root);
    throw;
  }
}

void unmount_all(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  if (error) return;
  std::vector<std::string> points = mount_points_below(real.string());
  for (auto point = points.rbegin(); point != points.rend(); ++point)
    if (::umount2(point->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
      fail_errno(errno, "unmounting {}", *point);
}

}  // namespace flox::oci
