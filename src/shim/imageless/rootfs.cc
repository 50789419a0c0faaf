#include "shim/imageless/rootfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "imageless/spec_edit.h"
#include "shim/imageless/in_root.h"

namespace flox::shim {

Rootfs::Rootfs(const fs::path& directory, Owner owner)
    : name_(directory.string()), owner_(owner), root_(open_file(name_, O_PATH | O_DIRECTORY)) {}

bool Rootfs::exists(const std::string& path) const {
  return static_cast<bool>(open_in_root(root_.get(), path, false));
}

std::string Rootfs::resolve(const std::string& path) const { return resolve_in_root(root_.get(), path); }

Fd Rootfs::open_directory(const std::string& path) const {
  Fd fd = open_in_root(root_.get(), path.empty() ? "/" : path, true);
  if (!fd) fail_errno(errno, "opening {} in {}", path, name_);
  return fd;
}

Fd Rootfs::open_parent(const std::string& path, std::string& name) const {
  fs::path whole(path);
  name = whole.filename().string();
  make_directory(whole.parent_path().string());
  return open_directory(whole.parent_path().string());
}

bool Rootfs::make_directory(const std::string& path, unsigned mode, Owner owner) const {
  if (path.empty() || path == "/" || open_in_root(root_.get(), path, true)) return false;
  std::string name;
  Fd parent = open_parent(path, name);
  if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) fail_errno(errno, "making {} in {}", path, name_);
  Fd made(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made || ::fchown(made.get(), owner.uid, owner.gid) != 0 || ::fchmod(made.get(), mode) != 0)
    fail_errno(errno, "making {} in {}", path, name_);
  return true;
}

bool Rootfs::make_link(const std::string& path, const std::string& target) const {
  std::string name;
  Fd parent = open_parent(path, name);
  if (::symlinkat(target.c_str(), parent.get(), name.c_str()) != 0) {
    if (errno != EEXIST) fail_errno(errno, "linking {} in {}", path, name_);
    return false;
  }
  if (::fchownat(parent.get(), name.c_str(), owner_.uid, owner_.gid, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno(errno, "giving {} in {} to its user", path, name_);
  return true;
}

bool Rootfs::make_file(const std::string& path, std::string_view content, unsigned mode) const {
  std::string name;
  Fd parent = open_parent(path, name);
  Fd file(::openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file && errno == EEXIST) return false;
  if (!file) fail_errno(errno, "making {} in {}", path, name_);
  write_all(file.get(), content);
  if (::fchown(file.get(), owner_.uid, owner_.gid) != 0 || ::fchmod(file.get(), mode) != 0)
    fail_errno(errno, "setting user and mode of {} in {}", path, name_);
  return true;
}

namespace {

// A root without /bin gets one link. Only a root that has tools of its own pays for a link for each of ours.
void link_tools(const Rootfs& root, const RuntimeTools& tools, const std::string& directory) {
  const std::string target = tools.store_path + "/bin";
  if (!root.exists(directory)) {
    root.make_link(directory,
                   target);  // unless a link stands there: ours of an earlier start, or the image's
    return;
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(tools.host_directory / "bin", error)) {
    std::string name = entry.path().filename().string();
    root.make_link(directory + "/" + name, target + "/" + name);
  }
}

}  // namespace

void fill_rootfs(const Rootfs& root, const RuntimeTools& tools, const ContainerUser& user) {
  const auto [uid, gid, on_host] = user;
  link_tools(root, tools, "/bin");
  link_tools(root, tools, "/usr/bin");
  std::string passwd = "root:x:0:0:root:/root:/bin/sh\n";
  std::string group = "root:x:0:\n";
  if (uid != 0) passwd += fmt::format("flox:x:{}:{}:flox:{}:/bin/sh\n", uid, gid, imageless::home_of(uid));
  if (gid != 0) group += fmt::format("flox:x:{}:\n", gid);
  passwd += "nobody:x:65534:65534:nobody:/:/bin/false\n";
  group += "nogroup:x:65534:\n";
  // A root with users of its own knows their homes, too.
  if (root.make_file("/etc/passwd", passwd))
    root.make_directory(imageless::home_of(uid), uid == 0 ? 0700 : 0755, on_host);
  root.make_file("/etc/group", group);
  const char* const certificates = "/etc/ssl/certs/ca-certificates.crt";
  std::error_code error;
  if (fs::exists(tools.host_directory / (certificates + 1), error) && !root.exists(certificates))
    root.make_link(certificates, tools.store_path + certificates);
  root.make_directory("/tmp", 01777);
}

}  // namespace flox::shim
