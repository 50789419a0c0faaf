#include "shim/sandbox/pod_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/statfs.h>

#include "base/os/file.h"
#include "testing/mount_namespace.h"

namespace flox::shim {
namespace {

namespace fs = std::filesystem;

constexpr const char* plain_container = R"({"root": {"path": "rootfs"}, "mounts": [
  {"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["size=65536k"]},
  {"destination": "/dev/shm/below", "type": "bind", "source": "/volume"}]})";

std::string shm_type(const fs::path& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == 0x01021994 ? "tmpfs" : "other";
}

TEST(PodFilesTest, AreMadeInTheBundle) {
  in_mount_namespace([] {
    const TempDir bundle;
    const PodFiles files(bundle.path());
    PodConfig config;
    config.hostname = "web";
    config.resolv_conf = "nameserver 10.0.0.1\n";
    files.make(config);
    EXPECT_EQ(read_file(bundle.path() / "hostname"), "web\n");
    EXPECT_EQ(read_file(bundle.path() / "resolv.conf"), "nameserver 10.0.0.1\n");
    EXPECT_EQ(read_file(bundle.path() / "hosts"), read_file("/etc/hosts"));
    EXPECT_EQ(shm_type(bundle.path() / "rootfs"), "tmpfs");
    EXPECT_EQ(fs::status(bundle.path() / "rootfs").permissions(), fs::perms(01777));
    files.unmount();
    EXPECT_EQ(shm_type(bundle.path() / "rootfs"), shm_type(bundle.path()));
    files.unmount();  // nothing is mounted
  });
}

TEST(PodFilesTest, APodWithTheNodesIpcHasTheNodesSharedMemory) {
  in_mount_namespace([] {
    const TempDir bundle;
    PodConfig config;
    config.host_ipc = true;
    PodFiles(bundle.path()).make(config);
    EXPECT_FALSE(fs::exists(bundle.path() / "rootfs"));
    oci::RuntimeSpec spec = oci::RuntimeSpec::parse(plain_container);
    PodFiles(bundle.path()).add_to(spec, config);
    EXPECT_EQ(spec.mount_source("/dev/shm"), "shm") << "CRI has put the node's there, or nothing";
  });
}

TEST(PodFilesTest, AContainerGetsThemWhereItHasNothing) {
  oci::RuntimeSpec spec = oci::RuntimeSpec::parse(plain_container);
  PodFiles("/bundle").add_to(spec, {});
  EXPECT_EQ(spec.mount_source("/etc/hostname"), "/bundle/hostname");
  EXPECT_EQ(spec.mount_source("/etc/hosts"), "/bundle/hosts");
  EXPECT_EQ(spec.mount_source("/etc/resolv.conf"), "/bundle/resolv.conf");
  EXPECT_EQ(spec.mount_source("/dev/shm"), "/bundle/rootfs");
  EXPECT_EQ(spec.places()[1], "/dev/shm") << "a volume below it is mounted after it";
  EXPECT_THAT(spec.dump(), testing::HasSubstr(R"("rprivate","rw"])"));
}

TEST(PodFilesTest, WhatAContainerBringsStays) {
  oci::RuntimeSpec spec =
      oci::RuntimeSpec::parse(R"({"root": {"path": "rootfs", "readonly": true}, "mounts": [
    {"destination": "/etc/hosts", "type": "bind", "source": "/kubelet/hosts"},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"},
    {"destination": "/dev/shm", "type": "bind", "source": "/volume"}]})");
  PodFiles("/bundle").add_to(spec, {});
  EXPECT_EQ(spec.mount_source("/etc/hosts"), "/kubelet/hosts");
  EXPECT_EQ(spec.mount_source("/dev/shm"), "/volume");
  EXPECT_EQ(spec.mount_source("/etc/hostname"), "/bundle/hostname");
  EXPECT_THAT(spec.dump(), testing::Not(testing::HasSubstr("/bundle/rootfs")));
  EXPECT_THAT(spec.dump(), testing::HasSubstr(R"("rprivate","ro"])")) << "as its root";
}

}  // namespace
}  // namespace flox::shim
