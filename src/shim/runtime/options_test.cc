#include "shim/runtime/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"
#include "shim/testing/any.h"

namespace flox::shim {
namespace {

using testing::HasSubstr;

TEST(OptionsTest, UnderstandsAllThreeForms) {
  wire::RuncOptions runc;
  runc.set_binary_name("crun");
  runc.set_root("/run/other");
  runc.set_systemd_cgroup(true);
  RuntimeOptions options = RuntimeOptions::decode(
      any_of("type.googleapis.com/containerd.runc.v1.Options", runc.SerializeAsString()));
  EXPECT_EQ(options.binary, "crun");
  EXPECT_EQ(options.root, "/run/other");
  EXPECT_TRUE(options.systemd_cgroup);

  wire::LegacyCreateOptions legacy;
  legacy.set_io_uid(7);
  options = RuntimeOptions::decode(any_of("containerd.linux.runc.CreateOptions", legacy.SerializeAsString()));
  EXPECT_EQ(options.io_uid, 7U);
  EXPECT_EQ(options.binary, oci::default_runtime());

  wire::GenericOptions generic;
  generic.set_config_body("SystemdCgroup = true\nBinaryName = \"/opt/runc\"\n");
  options = RuntimeOptions::decode(any_of("runtimeoptions.v1.Options", generic.SerializeAsString()));
  EXPECT_TRUE(options.systemd_cgroup);
  EXPECT_EQ(options.binary, "/opt/runc");
}

TEST(OptionsTest, SaysWhereBadTomlIsBad) {
  wire::GenericOptions generic;
  generic.set_config_body("SystemdCgroup = true\nBinaryName = oops\n");
  try {
    RuntimeOptions::decode(any_of("runtimeoptions.v1.Options", generic.SerializeAsString()));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("config_body:2:"));
  }
  EXPECT_THROW(RuntimeOptions::decode(any_of("some.other.Options", "x")), Error);
}

TEST(OptionsTest, AreFoundAgainByDelete) {
  TempDir bundle;
  EXPECT_EQ(RuntimeOptions::load(bundle.path()).binary, oci::default_runtime());
  RuntimeOptions options;
  options.binary = "crun";
  options.systemd_cgroup = true;
  options.save(bundle.path());
  EXPECT_EQ(RuntimeOptions::load(bundle.path()).binary, "crun");
  EXPECT_TRUE(RuntimeOptions::load(bundle.path()).systemd_cgroup);
}

}  // namespace
}  // namespace flox::shim
