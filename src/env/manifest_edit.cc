#include "env/manifest_edit.h"

#include "base/data/toml.h"
#include "base/data/toml_edit.h"

namespace flox::env {
namespace {

constexpr const char* manifest_name = "manifest.toml";

}  // namespace

std::string with_install(std::string_view toml, std::string_view install_id,
                         const InstallDescriptor& descriptor) {
  const toml::table before = parse_toml(toml, manifest_name);
  const toml::table* const install = before["install"].as_table();
  const toml::node* const entry = install == nullptr ? nullptr : install->get(install_id);
  const auto had = [&](const char* key) {
    return entry != nullptr && entry->is_table() && entry->as_table()->contains(key);
  };
  std::string text(toml);
  const auto path = [&](const char* key) { return TomlPath{"install", std::string(install_id), key}; };
  const auto set = [&](const char* key, const TomlNewValue& value) {
    text = with_toml_value(text, path(key), value, manifest_name);
  };
  const auto remove = [&](const char* key) {
    if (had(key)) text = without_toml_value(text, path(key), manifest_name);
  };
  const bool from_catalog = !descriptor.store_path;
  set(from_catalog ? "pkg-path" : "store-path", from_catalog ? descriptor.pkg_path : *descriptor.store_path);
  // It is one kind of package only, and has what packages of that kind have.
  remove("flake");
  if (from_catalog) {
    remove("store-path");
  } else {
    for (const char* key : {"pkg-path", "pkg-group", "outputs"}) remove(key);
  }
  if (descriptor.version)
    set("version", *descriptor.version);
  else
    remove("version");
  if (!descriptor.systems.empty()) set("systems", descriptor.systems);
  return text;
}

std::string without_install(std::string_view toml, std::string_view install_id) {
  return without_toml_value(toml, {"install", std::string(install_id)}, manifest_name);
}

}  // namespace flox::env
