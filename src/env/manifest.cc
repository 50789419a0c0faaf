#include "env/manifest.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>

#include "base/data/toml.h"
#include "base/data/toml_edit.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/printable.h"
#include "env/names.h"
#include "env/services.h"
#include "nix/store_path.h"

namespace flox::env {
namespace {

using nlohmann::json;

json to_json(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const auto& value : *array) list.push_back(to_json(value));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  // A date or a time, as TOML writes it.
  std::ostringstream text;
  node.visit([&](const auto& value) {
    using Node = std::decay_t<decltype(value)>;
    if constexpr (toml::is_date<Node> || toml::is_time<Node> || toml::is_date_time<Node>) text << value.get();
  });
  return text.str();
}

std::map<std::string, std::string> places_of(const toml::table& root, std::string_view file) {
  std::map<std::string, std::string> places;
  auto add = [&](const std::string& name, const toml::key& key) {
    const auto& at = key.source().begin;
    places[name] = fmt::format("{}:{}:{}", file, at.line, at.column);
  };
  for (const auto& [key, value] : root) {
    add(std::string(key.str()), key);
    if (value.is_table() && key.str() == "vars")
      for (const auto& [variable, text] : *value.as_table())
        if (text.is_string() && text.as_string()->get().find_first_of("$`") != std::string::npos)
          add(fmt::format("vars.{}", variable.str()), variable);
    if (value.is_table() && key.str() == "services")
      for (const auto& [service, entry] : *value.as_table()) {
        const std::string name = fmt::format("services.{}", service.str());
        add(name, service);
        const auto* others = entry.is_table() ? (*entry.as_table())["depends-on"].as_table() : nullptr;
        if (others == nullptr) continue;
        for (const auto& [other, unused] : *others)
          add(fmt::format("{}.depends-on.{}", name, other.str()), other);
      }
    static const std::set<std::string_view> placed = {"install", "build", "pkg-groups", "options"};
    if (!placed.contains(key.str()) || !value.is_table()) continue;
    for (const auto& [id, entry] : *value.as_table()) {
      const std::string name = fmt::format("{}.{}", key.str(), id.str());
      add(name, id);
      if (key.str() == "install" && entry.is_table()) {
        const auto version = entry.as_table()->find("version");
        if (version != entry.as_table()->end()) add(name + ".version", version->first);
      }
      if (key.str() != "build" || !entry.is_table()) continue;
      for (const auto& [member, ignored] : *entry.as_table())
        add(fmt::format("{}.{}", name, member.str()), member);
    }
  }
  size_t count = 0;
  if (const auto* list = root["include"]["environments"].as_array())
    for (const auto& entry : *list)
      places[fmt::format("include.{}", count++)] =
          fmt::format("{}:{}:{}", file, entry.source().begin.line, entry.source().begin.column);
  return places;
}

// The shells that [profile] may name. Each becomes the name of a file.
const std::set<std::string_view> profile_shells = {"bash", "common", "fish", "tcsh", "zsh"};

// What environments of processes cannot hold (environ(7)).
bool is_variable_name(std::string_view name) {
  return !name.empty() && name.find('=') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

// Says where in the file something is wrong.
class Checker {
 public:
  Checker(std::string_view file) : file_(file) {}

  [[noreturn]] void complain(const toml::node& node, const std::string& what,
                             const std::string& advice = {}) const {
    const auto& at = node.source().begin;
    throw Error(ErrorKind::invalid_input, fmt::format("{}:{}:{}: {}", file_, at.line, at.column, what),
                advice);
  }
  const toml::table& table(const toml::node& node, std::string_view name,
                           const std::string& advice = {}) const {
    if (!node.is_table())
      complain(node, fmt::format("{} must be a table", name),
               node.is_array_of_tables() ? "Write the table's name in single brackets." : advice);
    return *node.as_table();
  }
  void string(const toml::node& node, std::string_view name) const {
    if (!node.is_string())
      complain(node, fmt::format("{} must be a string", name),
               node.is_table() || node.is_array() ? "" : "Write it in quotes.");
  }
  void strings(const toml::node& node, std::string_view name) const {
    if (!node.is_array()) complain(node, fmt::format("{} must be a list of strings", name));
    for (const auto& item : *node.as_array()) string(item, fmt::format("each of {}", name));
  }
  void only(const toml::table& table, std::string_view name, const std::set<std::string_view>& known) const {
    for (const auto& [key, value] : table) {
      if (known.contains(key.str())) continue;
      const auto near = nearest_names(key.str(), {known.begin(), known.end()}, 1);
      complain(value,
               fmt::format("unknown key '{}' in {}; known: {}", printable(key.str(), 60), name,
                           fmt::join(known, ", ")),
               near.empty() ? "" : fmt::format("Did you mean {}?", near.front()));
    }
  }

 private:
  std::string_view file_;
};

constexpr const char* name_rule = "at most 255 bytes, and no control characters";
static_assert(most_name_bytes == 255);

void check_install(const Checker& check, const toml::table& install) {
  for (const auto& [id, node] : install) {
    std::string name = fmt::format("[install] {}", id.str());
    const auto& entry = check.table(
        node, name, fmt::format("Write {}.pkg-path = \"PACKAGE\".", toml_key(printable(id.str(), 60))));
    check.only(entry, name,
               {"pkg-path", "pkg-group", "version", "systems", "priority", "outputs", "flake", "store-path"});
    int kinds = entry.contains("pkg-path") + entry.contains("flake") + entry.contains("store-path");
    if (kinds != 1)
      check.complain(node, fmt::format("{} needs exactly one of pkg-path, flake, store-path", name));
    for (const char* key : {"pkg-path", "pkg-group", "version", "flake", "store-path"})
      if (const auto* value = entry.get(key)) check.string(*value, fmt::format("{}.{}", name, key));
    if (const auto* systems = entry.get("systems")) check.strings(*systems, name + ".systems");
    if (const auto* outputs = entry.get("outputs");
        outputs != nullptr && outputs->value<std::string>() != "all") {
      if (!outputs->is_array())
        check.complain(*outputs, name + ".outputs must be \"all\" or a list of strings");
      check.strings(*outputs, name + ".outputs");
    }
    if (!can_be_name(id.str()))
      check.complain(node,
                     fmt::format("'{}' cannot be an install id: {}", printable(id.str(), 60), name_rule));
    for (const char* key : {"pkg-path", "version"})
      if (const auto value = entry[key].value<std::string>(); value && !can_be_name(*value))
        check.complain(*entry.get(key),
                       fmt::format("{}.{} cannot be '{}': {}", name, key, printable(*value, 60), name_rule));
    if (const auto* priority = entry.get("priority"))
      if (const auto number = priority->value_exact<int64_t>();
          !number || *number < 0 || *number > most_priority)
        check.complain(*priority,
                       fmt::format("{}.priority must be a whole number from 0 to {}", name, most_priority));
  }
}

// "1.0", {file = "VERSION"} or {command = "…"}. A date or a number that nobody quoted is no text: 1.10 would
// be 1.1.
void check_version(const Checker& check, const toml::node& version, const std::string& name) {
  if (version.is_string()) return;
  if (!version.is_table())
    check.complain(version,
                   fmt::format("{} must be a string: write it in quotes, as in version = \"1.0\"", name));
  const auto& form = *version.as_table();
  check.only(form, name, {"file", "command"});
  if (form.size() != 1) check.complain(version, name + " needs exactly one of file, command");
  for (const auto& [key, value] : form) check.string(value, fmt::format("{}.{}", name, key.str()));
}

void check_sandbox(const Checker& check, const toml::node& sandbox, const std::string& name) {
  static const std::set<std::string> kinds = {"enforce", "off", "pure", "warn"};
  const auto kind = sandbox.value<std::string>();
  if (!sandbox.is_string() || !kinds.contains(*kind))
    check.complain(sandbox, fmt::format("{} must be one of {}", name, fmt::join(kinds, ", ")));
}

void check_build(const Checker& check, const toml::table& build) {
  for (const auto& [id, node] : build) {
    std::string name = fmt::format("[build.{}]", id.str());
    const auto& entry = check.table(node, name);
    check.only(
        entry, name,
        {"command", "sandbox", "sandbox-allow", "version", "description", "license", "runtime-packages"});
    const auto* command = entry.get("command");
    if (command == nullptr) check.complain(node, name + " needs a command");
    check.string(*command, name + ".command");
    if (const auto* version = entry.get("version")) check_version(check, *version, name + ".version");
    if (const auto* sandbox = entry.get("sandbox")) check_sandbox(check, *sandbox, name + ".sandbox");
    if (const auto* license = entry.get("license"); license != nullptr && !license->is_string())
      check.strings(*license, name + ".license");
    for (const char* key : {"runtime-packages", "sandbox-allow"})
      if (const auto* list = entry.get(key)) check.strings(*list, fmt::format("{}.{}", name, key));
    if (const auto* text = entry.get("description")) check.string(*text, name + ".description");
  }
}

// Scripts by shell; deactivate, if it is there, has the same.
void check_profile(const Checker& check, const toml::table& scripts, std::string_view name) {
  const bool whole = name == "[profile]";
  for (const auto& [shell, value] : scripts) {
    if (whole && shell == "deactivate") {
      check_profile(check, check.table(value, "[profile] deactivate"), "[profile] deactivate");
      continue;
    }
    if (!profile_shells.contains(shell.str()))
      check.complain(value, fmt::format("unknown shell '{}' in {}; known: {}", printable(shell.str(), 60),
                                        name, fmt::join(profile_shells, ", ")));
    check.string(value, fmt::format("{} {}", name, shell.str()));
  }
}

void check_include(const Checker& check, const toml::table& include) {
  check.only(include, "[include]", {"environments"});
  const auto* list = include.get("environments");
  if (list == nullptr) return;
  if (!list->is_array()) check.complain(*list, "include.environments must be a list of tables");
  for (const auto& node : *list->as_array()) {
    const toml::table& entry = check.table(node, "each of include.environments");
    check.only(entry, "include.environments", {"dir", "remote", "generation", "name"});
    if (entry.contains("dir") == entry.contains("remote"))
      check.complain(node, "each of include.environments needs either dir or remote");
    for (const char* key : {"dir", "remote", "name"})
      if (const auto* value = entry.get(key)) {
        check.string(*value, fmt::format("include.environments: {}", key));
        if (value->as_string()->get().empty())
          check.complain(*value, fmt::format("{} must not be empty", key));
      }
    if (const auto* value = entry.get("generation");
        value != nullptr && (!entry.contains("remote") || value->value<int64_t>().value_or(0) < 1))
      check.complain(*value, "generation must be 1, 2, … of a remote environment");
  }
}

void check_flags(const Checker& check, const toml::table& table, const std::string& name,
                 std::initializer_list<const char*> flags) {
  for (const char* flag : flags)
    if (const auto* value = table.get(flag); value != nullptr && !value->is_boolean())
      check.complain(*value, fmt::format("{}.{} must be true or false", name, flag));
}

void check_options(const Checker& check, const toml::table& options) {
  const std::string name = "[options]";
  check.only(options, name, {"systems", "allow", "semver", "cuda-detection", "activate", "stability"});
  if (const auto* systems = options.get("systems")) check.strings(*systems, name + " systems");
  if (const auto* stability = options.get("stability")) check.string(*stability, name + " stability");
  check_flags(check, options, name, {"cuda-detection"});
  const auto table = [&](const char* key, const std::set<std::string_view>& known) -> const toml::table* {
    const auto* node = options.get(key);
    if (node == nullptr) return nullptr;
    const std::string full = fmt::format("{} {}", name, key);
    const toml::table& found = check.table(*node, full);
    check.only(found, full, known);
    return &found;
  };
  if (const auto* allow = table("allow", {"unfree", "broken", "licenses"})) {
    check_flags(check, *allow, name + " allow", {"unfree", "broken"});
    if (const auto* licenses = allow->get("licenses")) check.strings(*licenses, name + " allow.licenses");
  }
  if (const auto* semver = table("semver", {"allow-pre-releases"}))
    check_flags(check, *semver, name + " semver", {"allow-pre-releases"});
  if (const auto* activate = table("activate", {"mode", "upgrade-notifications"})) {
    check_flags(check, *activate, name + " activate", {"upgrade-notifications"});
    if (const auto* mode = activate->get("mode")) {
      const auto text = mode->value_exact<std::string>();
      if (text != "dev" && text != "run")
        check.complain(*mode, name + " activate.mode must be \"dev\" or \"run\"");
    }
  }
}

// Types and names; what they say is looked at by who makes an image (env/container_config.h).
void check_containerize(const Checker& check, const toml::table& containerize) {
  check.only(containerize, "[containerize]", {"config"});
  const auto* node = containerize.get("config");
  if (node == nullptr) return;
  const std::string name = "[containerize.config]";
  const toml::table& config = check.table(*node, name);
  check.only(config, name,
             {"user", "exposed-ports", "cmd", "volumes", "working-dir", "labels", "stop-signal"});
  for (const char* key : {"user", "working-dir", "stop-signal"})
    if (const auto* value = config.get(key)) check.string(*value, fmt::format("{} {}", name, key));
  for (const char* key : {"exposed-ports", "cmd", "volumes"})
    if (const auto* value = config.get(key)) check.strings(*value, fmt::format("{} {}", name, key));
  if (const auto* labels = config.get("labels"))
    for (const auto& [label, value] : check.table(*labels, name + " labels"))
      check.string(value, fmt::format("{} labels.{}", name, printable(label.str(), 60)));
}

void check_groups(const Checker& check, const toml::table& groups) {
  for (const auto& [group, node] : groups) {
    const std::string name = fmt::format("[pkg-groups] {}", printable(group.str(), 60));
    const toml::table& settings = check.table(node, name);
    check.only(settings, name, {"stability"});
    if (const auto* stability = settings.get("stability")) check.string(*stability, name + ".stability");
  }
}

// 1.N.0, N from 10 on.
bool is_schema_version(std::string_view text) {
  if (!text.starts_with("1.") || !text.ends_with(".0") || text.size() < 6 || text.size() > 9) return false;
  const std::string_view minor = text.substr(2, text.size() - 4);
  return minor[0] != '0' && std::ranges::all_of(minor, [](unsigned char c) { return std::isdigit(c) != 0; });
}

void check_manifest(const Checker& check, const toml::table& root) {
  check.only(
      root, "the manifest",
      {"version", "schema-version", "minimum-cli-version", "description", "install", "pkg-groups", "vars",
       "hook", "profile", "services", "build", "options", "include", "containerize", "plugins"});
  if (!root.contains("version") && !root.contains("schema-version"))
    check.complain(root, "the manifest needs version = 1 or schema-version = \"1.10.0\" (or later)",
                   "Write one of them in its first line.");
  if (const auto* version = root.get("version"); version != nullptr && version->value<int64_t>() != 1)
    check.complain(*version, "version must be 1");
  for (const char* key : {"schema-version", "description"})
    if (const auto* node = root.get(key)) check.string(*node, key);
  if (const auto schema = root["schema-version"].value<std::string>(); schema && !is_schema_version(*schema))
    check.complain(*root.get("schema-version"),
                   fmt::format("\"{}\" is no schema-version: there are \"1.10.0\" and later ones of 1",
                               printable(*schema, 60)));
  if (root.contains("version") && root.contains("schema-version"))
    check.complain(*root.get("version"), "the manifest has both version and schema-version",
                   "Take version out.");
  if (const auto* node = root.get("minimum-cli-version"); node != nullptr && node->is_table()) {
    check.only(*node->as_table(), "minimum-cli-version", {"version", "reason"});
    for (const auto& [key, value] : *node->as_table())
      check.string(value, fmt::format("minimum-cli-version.{}", key.str()));
  } else if (node != nullptr) {
    check.string(*node, "minimum-cli-version");
  }
  for (const char* key : {"install", "pkg-groups", "vars", "hook", "profile", "services", "build", "options",
                          "include", "containerize", "plugins"})
    if (const auto* node = root.get(key)) check.table(*node, fmt::format("[{}]", key));
  if (const auto* node = root.get("install")) check_install(check, *node->as_table());
  if (const auto* node = root.get("build")) check_build(check, *node->as_table());
  if (const auto* node = root.get("include")) check_include(check, *node->as_table());
  for (const char* key : {"vars", "hook"})
    if (const auto* node = root.get(key))
      for (const auto& [name, value] : *node->as_table())
        check.string(value, fmt::format("[{}] {}", key, name.str()));
  if (const auto* node = root.get("profile")) check_profile(check, *node->as_table(), "[profile]");
  if (const auto* node = root.get("vars"))
    for (const auto& [name, value] : *node->as_table())
      if (!is_variable_name(name.str()))
        check.complain(value,
                       fmt::format("'{}' in [vars] cannot be a variable's name", printable(name.str(), 60)));
  if (const auto* node = root.get("hook"))
    check.only(*node->as_table(), "[hook]", {"on-activate", "on-deactivate"});
  if (const auto* node = root.get("services"))
    check_services(*node,
                   [&](const toml::node& where, const std::string& what) { check.complain(where, what); });
  if (const auto* node = root.get("options")) check_options(check, *node->as_table());
  if (const auto* node = root.get("pkg-groups")) check_groups(check, *node->as_table());
  if (const auto* node = root.get("containerize")) check_containerize(check, *node->as_table());
}

std::string text_of(const json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}
std::vector<std::string> texts_of(const json& object, const char* key) {
  std::vector<std::string> result;
  if (auto it = object.find(key); it != object.end() && it->is_array())
    for (const auto& item : *it)
      if (item.is_string()) result.push_back(item.get<std::string>());
  return result;
}

// The minimal common leading spaces of the non-empty lines are taken away, as Flox does.
std::string outdent(const std::string& text) {
  size_t common = std::string::npos;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (size_t first = line.find_first_not_of(' '); first != std::string::npos)
      common = std::min(common, first);
  if (common == 0 || common == std::string::npos) return text;
  std::string result;
  std::istringstream again(text);
  for (std::string line; std::getline(again, line);)
    result += (line.size() > common ? line.substr(common) : "") + "\n";
  return result;
}

// Scripts by shell.
std::map<std::string, std::string> scripts_from(const json& table, std::string_view name) {
  std::map<std::string, std::string> scripts;
  for (const auto& [shell, script] : table.items()) {
    if (shell == "deactivate" && !script.is_string()) continue;
    if (!profile_shells.contains(shell))
      fail(ErrorKind::invalid_input, "the manifest's {}: unknown shell '{}'; known: {}", name,
           printable(shell, 60), fmt::join(profile_shells, ", "));
    if (script.is_string()) scripts[shell] = outdent(script.get<std::string>());
  }
  return scripts;
}

InstallDescriptor descriptor_from(const json& entry) {
  InstallDescriptor descriptor;
  descriptor.pkg_path = text_of(entry, "pkg-path");
  if (entry.contains("version")) descriptor.version = text_of(entry, "version");
  if (entry.contains("pkg-group")) descriptor.pkg_group = text_of(entry, "pkg-group");
  descriptor.systems = texts_of(entry, "systems");
  if (auto it = entry.find("priority"); it != entry.end() && it->is_number_integer())
    descriptor.priority = it->get<int>();
  if (entry.contains("store-path")) descriptor.store_path = text_of(entry, "store-path");
  if (entry.contains("flake")) descriptor.flake = text_of(entry, "flake");
  return descriptor;
}

}  // namespace

Manifest Manifest::parse(std::string_view toml_text, std::string_view file_name) {
  const toml::table root = parse_toml(toml_text, file_name);
  check_manifest(Checker(file_name), root);
  Manifest manifest = from_json(to_json(root));
  manifest.places = places_of(root, file_name);
  return manifest;
}

std::string Manifest::place_of(const std::string& what) const {
  const auto found = places.find(what);
  return found == places.end() ? "manifest.toml" : found->second;
}

Manifest Manifest::from_json(const nlohmann::json& document) {
  if (!document.is_object()) fail(ErrorKind::invalid_input, "a manifest must be an object");
  Manifest manifest;
  manifest.json = document;
  auto member = [&](const char* key) {
    return document.contains(key) && document[key].is_object() ? document[key] : nlohmann::json::object();
  };
  const nlohmann::json install_table = member("install");  // items() refers to it
  for (const auto& [id, entry] : install_table.items())
    if (entry.is_object()) manifest.install[id] = descriptor_from(entry);
  const nlohmann::json vars_table = member("vars");  // items() refers to it
  for (const auto& [name, value] : vars_table.items())
    if (value.is_string()) {
      if (!is_variable_name(name) || value.get_ref<const std::string&>().find('\0') != std::string::npos)
        fail(ErrorKind::invalid_input, "the manifest's [vars]: '{}' cannot be a variable",
             printable(name, 60));
      manifest.vars[name] = value.get<std::string>();
    }
  manifest.hook_on_activate = outdent(text_of(member("hook"), "on-activate"));
  manifest.hook_on_deactivate = outdent(text_of(member("hook"), "on-deactivate"));
  const nlohmann::json profile_table = member("profile");
  manifest.profile = scripts_from(profile_table, "[profile]");
  if (const auto deactivate = profile_table.find("deactivate");
      deactivate != profile_table.end() && deactivate->is_object())
    manifest.profile_deactivate = scripts_from(*deactivate, "[profile] deactivate");
  const nlohmann::json build_table = member("build");  // items() refers to it
  for (const auto& [name, entry] : build_table.items()) {
    BuildDescriptor build;
    build.command = outdent(text_of(entry, "command"));
    build.version = text_of(entry, "version");
    if (entry.contains("version")) build.version_source = entry["version"];
    build.description = text_of(entry, "description");
    build.licenses = texts_of(entry, "license");
    if (std::string license = text_of(entry, "license"); !license.empty()) build.licenses = {license};
    if (std::string sandbox = text_of(entry, "sandbox"); !sandbox.empty()) build.sandbox = sandbox;
    build.sandbox_allow = texts_of(entry, "sandbox-allow");
    build.runtime_packages = texts_of(entry, "runtime-packages");
    manifest.build[name] = std::move(build);
  }
  nlohmann::json options = member("options");
  manifest.systems = texts_of(options, "systems");
  if (options.contains("activate") && options["activate"].is_object() && options["activate"].contains("mode"))
    manifest.activate_mode = text_of(options["activate"], "mode");
  return manifest;
}

std::string initial_manifest() {
  return R"(# What this environment has and does. "flox install" and "flox uninstall" edit the [install] table.
schema-version = "1.10.0"

# Packages, by install id:   web.pkg-path = "web"
[install]

# Variables set on activation; a value may use others: "$HOME/data".
[vars]

# Bash, run once on activation.
[hook]

[options]
)";
}

NamedPackage parse_package(const std::string& text) {
  if (text.starts_with("/")) {
    nix::StorePath path = nix::StorePath::containing(text);
    InstallDescriptor descriptor;
    descriptor.store_path = path.to_string();
    return {std::string(path.name()), std::move(descriptor)};
  }
  NamedPackage named;
  const size_t at = text.find('@', 1);
  named.descriptor.pkg_path = text.substr(0, at);
  if (at != std::string::npos) named.descriptor.version = text.substr(at + 1);
  const size_t last = named.descriptor.pkg_path.find_last_of("/.");
  named.install_id =
      last == std::string::npos ? named.descriptor.pkg_path : named.descriptor.pkg_path.substr(last + 1);
  if (named.install_id.empty() || (named.descriptor.version && named.descriptor.version->empty()))
    throw Error(ErrorKind::invalid_input, fmt::format("'{}' is not a package", text),
                "Write NAME or NAME@VERSION.");
  return named;
}

const std::vector<std::string>& default_systems() {
  static const std::vector<std::string> systems = {"aarch64-darwin", "aarch64-linux", "x86_64-darwin",
                                                   "x86_64-linux"};
  return systems;
}

std::string current_system() {
  utsname names{};
  uname(&names);
  return std::string(names.machine) + "-linux";
}

}  // namespace flox::env
