#include "store/local/boot.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::store {
namespace {

constexpr auto kernels_id = "/proc/sys/kernel/random/boot_id";

std::string id_of_this_process() {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number)
    fail_errno(errno, "making an id for this process");
  return fmt::format("{:016x}-of-one-process", number);
}

}  // namespace

std::string boot_id() {
  if (!std::filesystem::exists(kernels_id)) {
    static const std::string id = id_of_this_process();
    return id;
  }
  const std::string text = read_file(kernels_id);
  return text.substr(0, text.find('\n'));
}

}  // namespace flox::store
