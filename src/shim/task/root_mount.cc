#include "shim/task/root_mount.h"

#include "base/error.h"
#include "base/os/directory.h"
#include "oci/mount.h"
#include "shim/io/shim_log.h"

namespace flox::shim {

void RootMount::mount(const wire::CreateTaskRequest& request) {
  if (request.rootfs_size() == 0) return;
  std::vector<oci::Mount> mounts;
  for (const wire::Mount& mount : request.rootfs())
    mounts.push_back(
        {mount.type(), mount.source(), mount.target(), {mount.options().begin(), mount.options().end()}});
  Directory(bundle_).make_directory("rootfs", 0711);
  mounted_ = true;
  oci::mount_all(mounts, bundle_ / "rootfs");
}

void RootMount::unmount() {
  if (!mounted_) return;
  try {
    oci::unmount_all(bundle_ / "rootfs");
  } catch (const Error& error) {
    log_warning("unmounting {}: {}", (bundle_ / "rootfs").string(), error.what());
  }
}

}  // namespace flox::shim
