#include "store/gc/link_root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/data/sha256.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/replaced_link.h"
#include "nix/base32.h"

namespace flox::store {
namespace {

bool leads_to(const Directory& roots, const std::string& name, const fs::path& link) {
  const auto status = roots.status(name);
  return status && S_ISLNK(status->st_mode) && roots.read_link(name) == link.native();
}

// The link itself by another name, which is of the file and not of where it is: it may be moved. Not where
// that is another file system, or one without such links.
void name_again(const Directory& roots, const fs::path& link) {
  struct stat status {};
  if (::lstat(link.c_str(), &status) != 0) fail_errno(errno, "examining {}", link.string());
  const std::string name = fmt::format("{:x}-{}", status.st_dev, status.st_ino);
  if (roots.exists(name)) return;
  if (::linkat(AT_FDCWD, link.c_str(), roots.fd(), name.c_str(), 0) != 0 && errno != EEXIST)
    log::debug("{} gets no second name in {}: {}", link.string(), roots.name(), std::strerror(errno));
}

}  // namespace

void keep_link(const LocalStore& store, const fs::path& link) {
  const Directory state(store.state_directory());
  const std::string name = nix::to_base32(bytes_of(sha256(link.native())));
  const Directory named = state.make_directory("gcroots/auto");
  if (!leads_to(named, name, link)) replace_link(named, name, link.native());
  name_again(state.make_directory(fmt::format("gcroots/{}", second_names_directory)), link);
}

}  // namespace flox::store
