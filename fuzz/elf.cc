// Programs and libraries of packages.
#include "package/elf.h"

#include "base/os/file.h"
#include "fuzz.h"

namespace flox::fuzz::of_elf {

void one(std::string_view input) {
  static const TempDir directory("flox-fuzz-");
  const fs::path file = directory.path() / "program";
  write_file(file, input);
  accepts([&] { package::read_elf(file); });
}

}  // namespace flox::fuzz::of_elf
