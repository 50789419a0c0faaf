#include "node/floxd/read_only_mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "testing/mount_namespace.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

sockaddr_un address_of(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}
Fd listen_at(const fs::path& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(socket.get(), 1), 0);
  return socket;
}
bool connects(const fs::path& path) {
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// As crun does for a mount at /data/scratch in an image in which /data is a link to /run/flox: it binds,
// makes the places of the mounts that follow, and only then applies "ro".
TEST(ReadOnlyMountTest, ALinkOfAnImageMakesNoEntryBesideThePodsSocket) {
  in_mount_namespace([] {
    const TempDir temp;
    const fs::path sockets = temp.path() / "pod", container = temp.path() / "container";
    fs::create_directories(sockets);
    fs::create_directories(container);
    Fd listening = listen_at(sockets / "pod.sock");
    ReadOnlyMount mount(sockets, temp.path() / "shown");
    ASSERT_EQ(::mount(mount.shown().c_str(), container.c_str(), nullptr, MS_BIND | MS_REC, nullptr), 0);
    EXPECT_EQ(::mkdir((container / "scratch").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(::open((container / "scratch").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_TRUE(connects(container / "pod.sock"));
    // The next floxd, whose socket is another one.
    fs::remove(sockets / "pod.sock");
    listening = listen_at(sockets / "pod.sock");
    EXPECT_EQ(ReadOnlyMount(sockets, temp.path() / "shown").shown(), mount.shown());
    EXPECT_TRUE(connects(container / "pod.sock"));
  });
}

}  // namespace
}  // namespace flox::node
