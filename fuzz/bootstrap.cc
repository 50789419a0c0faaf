// What comes on the standard input of the shim's `start`.
#include "shim/launch/bootstrap.h"

#include "fuzz.h"

namespace flox::fuzz::of_bootstrap {

void one(std::string_view input) {
  shim::Bootstrap bootstrap;
  if (!accepts([&] { bootstrap = shim::read_bootstrap(std::string(input)); })) return;
  const std::string answer = shim::bootstrap_answer(bootstrap, "unix:///run/containerd/s/x");
  if (!bootstrap.params)
    return require(answer == "unix:///run/containerd/s/x", "the old answer is the address");
  shim::wire::BootstrapResult result;
  require(result.ParseFromString(answer) && result.address() == "unix:///run/containerd/s/x",
          "the new answer carries the address");
}

}  // namespace flox::fuzz::of_bootstrap
