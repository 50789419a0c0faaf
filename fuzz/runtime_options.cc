// Runtime options as clients send them: the first byte says of which type, the rest is the message. The file
// that an accepted one leaves in the bundle must say the same to `delete`.
#include "base/os/file.h"
#include "fuzz.h"
#include "shim/runtime/options.h"

namespace flox::fuzz::of_runtime_options {
namespace {

shim::wire::Any any_of(std::string_view input) {
  static constexpr const char* types[] = {"containerd.runc.v1.Options", "containerd.linux.runc.CreateOptions",
                                          "runtimeoptions.v1.Options",
                                          "type.googleapis.com/runtimeoptions.v1.Options"};
  const unsigned choice = take_byte(input) % 6;
  shim::wire::Any any;
  if (choice == 5) {
    any.ParseFromString(std::string(input));
  } else if (choice == 4) {  // the TOML as it stands
    shim::wire::GenericOptions options;
    options.set_config_body(std::string(input));
    any.set_type_url(types[2]);
    any.set_value(options.SerializeAsString());
  } else {
    any.set_type_url(types[choice]);
    any.set_value(std::string(input));
  }
  return any;
}

// The operator may name a file; the fuzzer must not (/dev/zero has no end).
bool names_a_file(const shim::wire::Any& any) {
  shim::wire::GenericOptions options;
  return any.type_url().ends_with("runtimeoptions.v1.Options") && options.ParseFromString(any.value()) &&
         !options.config_path().empty();
}

}  // namespace

void one(std::string_view input) {
  static const TempDir bundle("flox-fuzz-");
  const shim::wire::Any any = any_of(input);
  shim::RuntimeOptions options;
  if (names_a_file(any) || !accepts([&] { options = shim::RuntimeOptions::decode(any); })) return;
  require(!options.binary.empty() && !options.root.empty(), "an empty member has its default");
  options.save(bundle.path());
  const auto loaded = shim::RuntimeOptions::load(bundle.path());
  require(loaded.binary == options.binary && loaded.root == options.root &&
              loaded.systemd_cgroup == options.systemd_cgroup,
          "delete reads the options that create had");
}

}  // namespace flox::fuzz::of_runtime_options
