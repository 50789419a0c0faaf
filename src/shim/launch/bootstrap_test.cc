#include "shim/launch/bootstrap.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::shim {
namespace {

TEST(BootstrapTest, NothingOnStdinMeansNoOptionsAndAPlainAnswer) {
  Bootstrap bootstrap = read_bootstrap("");
  EXPECT_FALSE(bootstrap.params);
  EXPECT_EQ(bootstrap.options.type_url(), "");
  EXPECT_EQ(bootstrap_answer(bootstrap, "unix:///s"), "unix:///s");
}

TEST(BootstrapTest, AnAnyIsTheOptionsUpToContainerd22) {
  wire::Any any;
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value(wire::RuncOptions().SerializeAsString());
  Bootstrap bootstrap = read_bootstrap(any.SerializeAsString());
  EXPECT_FALSE(bootstrap.params);
  EXPECT_EQ(bootstrap.options.type_url(), "containerd.runc.v1.Options");
  EXPECT_EQ(bootstrap_answer(bootstrap, "unix:///s"), "unix:///s");
}

TEST(BootstrapTest, BootstrapParamsAreAnsweredWithABootstrapResult) {
  wire::BootstrapParams params;
  params.set_instance_id("c");
  params.set_namespace_("k8s.io");
  params.set_log_level(-4);
  params.set_containerd_version("2.3.0");
  params.set_containerd_grpc_address("/run/c.sock");
  params.set_containerd_ttrpc_address("/run/c.sock.ttrpc");
  params.set_socket_dir("/run/state/s");
  params.add_extensions()->mutable_value()->set_type_url("some.Extension");
  params.add_extensions()->mutable_value()->set_type_url("containerd.runc.v1.Options");
  Bootstrap bootstrap = read_bootstrap(params.SerializeAsString());
  EXPECT_TRUE(bootstrap.params);
  EXPECT_EQ(bootstrap.socket_dir, "/run/state/s");
  EXPECT_EQ(bootstrap.ttrpc_address, "/run/c.sock.ttrpc");
  EXPECT_EQ(bootstrap.options.type_url(), "containerd.runc.v1.Options");
  wire::BootstrapResult result;
  ASSERT_TRUE(result.ParseFromString(bootstrap_answer(bootstrap, "unix:///s")));
  EXPECT_EQ(result.version(), 2);
  EXPECT_EQ(result.address(), "unix:///s");
  EXPECT_EQ(result.protocol(), "ttrpc");
}

TEST(BootstrapTest, OptionsThatAreNoTextAreTakenInSilence) {
  wire::RuncOptions options;
  options.set_io_uid(100000);  // its bytes are not UTF-8
  wire::Any any;
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value(options.SerializeAsString());
  testing::internal::CaptureStderr();
  const Bootstrap bootstrap = read_bootstrap(any.SerializeAsString());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(bootstrap.params);
  EXPECT_EQ(bootstrap.options.value(), any.value());
}

TEST(BootstrapTest, GarbageIsInvalid) { EXPECT_THROW(read_bootstrap("\xff\xff garbage"), Error); }

}  // namespace
}  // namespace flox::shim
