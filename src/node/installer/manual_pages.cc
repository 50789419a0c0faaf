#include "node/installer/manual_pages.h"

#include "base/os/process.h"

namespace flox::node {

void write_manual_pages(const std::filesystem::path& programs, const std::filesystem::path& share) {
  for (const char* name : {"flox", "floxd"}) run_checked({.argv = {programs / name, "manual", share}});
}

}  // namespace flox::node
