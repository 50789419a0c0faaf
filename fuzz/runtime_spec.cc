// A bundle's config.json and an exec's process, edited as the shim edits them.
#include "oci/runtime_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/data/json.h"
#include "fuzz.h"

namespace flox::fuzz::of_runtime_spec {
namespace {

void edit(oci::ProcessSpec& process) {
  oci::Environment environment = process.env();
  oci::set_variable(environment, "PATH", "/bin");
  require(oci::get_variable(environment, "PATH") == "/bin", "a variable that was set has its value");
  process.set_env(environment);
  require(process.env() == environment, "an environment that was set is there");
  std::vector<std::string> args = process.args();
  args.insert(args.begin(), "/activate");
  process.set_args(args);
  require(process.args() == args, "arguments that were set are there");
  process.set_terminal(!process.terminal());
  process.cwd();
}

// Nobody becomes another user, least of all root, by a number that no user can have.
void compare_user(const oci::ProcessSpec& process) {
  const oci::Json document = parse_ordered_json(process.dump(), "process");
  for (const auto& [pointer, id] :
       {std::pair{"/user/uid", process.uid()}, std::pair{"/user/gid", process.gid()}}) {
    const oci::Json::json_pointer place(pointer);
    if (!document.contains("user") || !document["user"].is_object() || !document.contains(place)) continue;
    const oci::Json& given = document.at(place);
    if (given.is_number_unsigned()) require(given.get<uint64_t>() == id, "the user is the document's");
  }
}

void read_process(std::string_view input) {
  std::optional<oci::ProcessSpec> process;
  if (!accepts([&] { process.emplace(oci::ProcessSpec::parse(input)); })) return;
  accepts([&] { compare_user(*process); });
  edit(*process);
  const std::string text = process->dump();
  require(oci::ProcessSpec::parse(text).dump() == text, "what was written can be read and written again");
}

}  // namespace

void one(std::string_view input) {
  read_process(input);
  std::optional<oci::RuntimeSpec> spec;
  if (!accepts([&] { spec.emplace(oci::RuntimeSpec::parse(input)); })) return;
  spec->annotation("flox.dev/environment");
  spec->root_path();
  spec->hostname();
  spec->has_own_pid_namespace();
  accepts([&] { spec->annotations("flox.dev/"); });
  spec->add_mount({"/nix/store", "bind", "/nix/store", {"ro", "rbind"}});
  const std::vector<std::string> places = spec->places();
  require(std::find(places.begin(), places.end(), "/nix/store") != places.end(),
          "a mount that was added is there");
  if (accepts([&] { spec->process(); })) {
    oci::ProcessSpec process = spec->process();
    edit(process);
    spec->set_process(process);
    require(spec->process().args() == process.args(), "the spec has the process that it was given");
  }
  const std::string text = spec->dump();
  require(oci::RuntimeSpec::parse(text).dump() == text, "what was written can be read and written again");
}

}  // namespace flox::fuzz::of_runtime_spec
