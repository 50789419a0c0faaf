#include "shim/launch/bootstrap.h"

#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/os/fd.h"

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
  // An Any has the fields 1 and 2 only; parameters have others, which stay unknown to an Any. Not the other
  // way round: an Any's value in the string field 2 of the parameters would be complained of if it is not
  // UTF-8.
  if (!result.options.ParseFromString(input))
    fail(ErrorKind::invalid_input, "standard input is neither runtime options nor bootstrap parameters");
  wire::Any known;
  known.set_type_url(result.options.type_url());
  known.set_value(result.options.value());
  if (known.ByteSizeLong() == input.size()) return result;
  wire::BootstrapParams params;
  if (!params.ParseFromString(input))
    fail(ErrorKind::invalid_input, "the bootstrap parameters on standard input cannot be read");
  result.options = {};
  result.params = true;
  result.ttrpc_address = params.containerd_ttrpc_address();
  result.socket_dir = params.socket_dir();
  for (const wire::Extension& extension : params.extensions())
    if (looks_like_runtime_options(extension.value())) result.options = extension.value();
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
