#include "store/boot.h"

#include "base/file.h"

namespace flox::store {

std::string boot_id() {
  const std::string text = read_file("/proc/sys/kernel/random/boot_id");
  return text.substr(0, text.find('\n'));
}

}  // namespace flox::store
