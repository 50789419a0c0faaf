#include "shim/bootstrap.h"

#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/fd.h"

namespace flox::shim {
namespace {

constexpr size_t input_limit = 10U << 20;

bool looks_like_runtime_options(const wire::Any& any) {
  return any.type_url().find("Options") != std::string::npos;
}

}  // namespace

std::string read_standard_input() {
  std::string input;
  std::array<char, 4096> buffer;
  while (size_t got = read_some(STDIN_FILENO, buffer.data(), buffer.size())) {
    input.append(buffer.data(), got);
    if (input.size() > input_limit) fail(ErrorKind::invalid_input, "more than 10 MiB on standard input");
  }
  return input;
}

Bootstrap read_bootstrap(const std::string& input) {
  Bootstrap result;
  if (input.empty()) return result;
  wire::BootstrapParams params;
  if (params.ParseFromString(input) && !params.containerd_version().empty() &&
      !params.containerd_grpc_address().empty()) {
    result.params = true;
    result.ttrpc_address = params.containerd_ttrpc_address();
    result.socket_dir = params.socket_dir();
    for (const wire::Extension& extension : params.extensions())
      if (looks_like_runtime_options(extension.value())) result.options = extension.value();
    return result;
  }
  if (!result.options.ParseFromString(input))
    fail(ErrorKind::invalid_input, "standard input is neither runtime options nor bootstrap parameters");
  return result;
}

std::string bootstrap_answer(const Bootstrap& bootstrap, const std::string& address) {
  if (!bootstrap.params) return address;
  wire::BootstrapResult result;
  result.set_version(2);
  result.set_address(address);
  result.set_protocol("ttrpc");
  return result.SerializeAsString();
}

}  // namespace flox::shim
