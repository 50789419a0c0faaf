#include "shim/task/checkpoint.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "shim/testing/any.h"

namespace flox::shim {
namespace {

TEST(CheckpointTest, UnderstandsBothFormsOfOptions) {
  wire::CheckpointTaskRequest request;
  request.set_path("/images/1");
  oci::Runtime::Checkpoint how = checkpoint_of(request, "/bundle");
  EXPECT_TRUE(how.leave_running);
  EXPECT_EQ(how.image_path, "/images/1");
  EXPECT_EQ(how.work_path, "/bundle/work/criu-work");

  wire::CheckpointOptions options;
  options.set_exit(true);
  options.set_open_tcp(true);
  options.set_work_path("/work");
  *request.mutable_options() = any_of("containerd.runc.v1.CheckpointOptions", options.SerializeAsString());
  how = checkpoint_of(request, "/bundle");
  EXPECT_FALSE(how.leave_running);
  EXPECT_TRUE(how.tcp_established);
  EXPECT_EQ(how.work_path, "/work");

  wire::LegacyCheckpointOptions legacy;
  legacy.set_file_locks(true);
  legacy.set_work_path("/legacy");
  *request.mutable_options() = any_of("containerd.linux.runc.CheckpointOptions", legacy.SerializeAsString());
  how = checkpoint_of(request, "/bundle");
  EXPECT_TRUE(how.leave_running);
  EXPECT_TRUE(how.file_locks);
  EXPECT_EQ(how.work_path, "/legacy");

  *request.mutable_options() = any_of("some.other.Options", "x");
  EXPECT_THROW(checkpoint_of(request, "/bundle"), Error);
}

}  // namespace
}  // namespace flox::shim
