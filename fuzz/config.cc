// config.toml.
#include "node/floxd/config.h"

#include "base/os/file.h"
#include "fuzz.h"

namespace flox::fuzz::of_config {

void one(std::string_view input) {
  static const TempDir directory("flox-fuzz-");
  const fs::path file = directory.path() / "config.toml";
  ::setenv("FLOX_CONFIG", file.c_str(), 1);
  write_file(file, input);
  accepts([] { Config::load(); });
}

}  // namespace flox::fuzz::of_config
