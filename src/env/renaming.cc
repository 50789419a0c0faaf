#include "env/renaming.h"

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/printable.h"

namespace flox::env {

void check_name_of_environment(std::string_view name) {
  constexpr size_t most = 200;  // bytes
  if (!is_file_name(name) || name.size() > most || name.find(' ') != std::string_view::npos ||
      printable(name) != name)
    fail(ErrorKind::invalid_input, "'{}' cannot name an environment: at most {} bytes, no spaces, no slashes",
         printable(name, 60), most);
}

void rename_environment(const Environment& environment, std::string_view name, const ChangeContext& context) {
  constexpr size_t most = 64 << 10;  // bytes
  check_name_of_environment(name);
  const Directory files(fs::canonical(environment.directory() / ".flox"));
  const EnvironmentLock turn = environment.exclusive(context);
  const std::string file = (environment.directory() / ".flox/env.json").string();
  nlohmann::ordered_json pointer = {{"name", name}, {"version", 1}};
  if (files.exists("env.json"))
    pointer = parse_ordered_json(files.read_file("env.json", most), file,
                                 {.bytes = most, .depth = 16, .values = 1000});
  if (!pointer.is_object()) fail(ErrorKind::invalid_input, "{}: it is not an object", file);
  // Flox writes the owner into env.json; here there is an origin.
  const std::optional<Origin> origin = environment.origin();
  if (origin || pointer.contains("owner"))
    throw Error(ErrorKind::conflict,
                fmt::format("the catalog has the environment in {} by its name{}",
                            environment.directory().string(), origin ? ", " + origin->reference() : ""),
                "Make one of its own of it, with another name: flox pull --copy OWNER/NAME -d DIRECTORY.");
  if (pointer.contains("name") && pointer["name"] == name) return;
  pointer["name"] = name;
  files.write_file("env.json", pointer.dump(2) + "\n");
}

}  // namespace flox::env
