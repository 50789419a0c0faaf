#include <unistd.h>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/process.h"
#include "shim/launch/bootstrap.h"
#include "shim/launch/commands.h"
#include "shim/runtime/options.h"

namespace flox::shim {

void print_info() {
  wire::Any given;
  if (!given.ParseFromString(read_standard_input()))
    fail(ErrorKind::invalid_input, "standard input has no runtime options");
  RuntimeOptions options = RuntimeOptions::decode(given);
  wire::RuntimeInfo info;
  info.set_name("io.containerd.flox.v1");
  info.mutable_version()->set_version(FLOX_VERSION);
  if (!given.type_url().empty()) *info.mutable_options() = given;
  // crun before 1.9 has no such command; then nothing is said about features.
  if (Outcome features = run({.argv = {options.binary, "features"}}); features.exit_code == 0) {
    info.mutable_features()->set_type_url(
        "types.containerd.io/opencontainers/runtime-spec/1/features/Features");
    info.mutable_features()->set_value(features.out);
  }
  write_all(STDOUT_FILENO, info.SerializeAsString());
}

}  // namespace flox::shim
