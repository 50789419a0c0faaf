#include "shim/runtime/options.h"

#include "base/data/json.h"
#include "base/data/toml.h"
#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"

namespace flox::shim {
namespace {

constexpr const char* options_file = "options.json";
constexpr size_t options_limit = 64 << 10;  // bytes of the file, and of a TOML text

template <typename Message>
Message parse_message(const wire::Any& any) {
  Message message;
  if (!message.ParseFromString(any.value())) fail(ErrorKind::invalid_input, "malformed {}", any.type_url());
  return message;
}

RuntimeOptions from(const wire::RuncOptions& message) {
  RuntimeOptions result;
  if (!message.binary_name().empty()) result.binary = message.binary_name();
  if (!message.root().empty()) result.root = message.root();
  result.systemd_cgroup = message.systemd_cgroup();
  result.no_pivot_root = message.no_pivot_root();
  result.no_new_keyring = message.no_new_keyring();
  result.shim_cgroup = message.shim_cgroup();
  result.io_uid = message.io_uid();
  result.io_gid = message.io_gid();
  result.criu_path = message.criu_path();
  result.criu_image_path = message.criu_image_path();
  result.criu_work_path = message.criu_work_path();
  return result;
}

RuntimeOptions from(const wire::LegacyCreateOptions& message) {
  RuntimeOptions result;
  result.no_pivot_root = message.no_pivot_root();
  result.no_new_keyring = message.no_new_keyring();
  result.shim_cgroup = message.shim_cgroup();
  result.io_uid = message.io_uid();
  result.io_gid = message.io_gid();
  result.criu_image_path = message.criu_image_path();
  result.criu_work_path = message.criu_work_path();
  return result;
}

RuntimeOptions from_toml(const std::string& text, const std::string& name) {
  const toml::table table = in_context("runtime options", [&] { return parse_toml(text, name); });
  RuntimeOptions result;
  auto read_string = [&](const char* key, auto& into) {
    if (auto value = table[key].value<std::string>(); value && !value->empty()) into = *value;
  };
  read_string("BinaryName", result.binary);
  read_string("Root", result.root);
  read_string("ShimCgroup", result.shim_cgroup);
  read_string("CriuPath", result.criu_path);
  read_string("CriuImagePath", result.criu_image_path);
  read_string("CriuWorkPath", result.criu_work_path);
  result.systemd_cgroup = table["SystemdCgroup"].value_or(false);
  result.no_pivot_root = table["NoPivotRoot"].value_or(false);
  result.no_new_keyring = table["NoNewKeyring"].value_or(false);
  result.io_uid = table["IoUid"].value_or(uint32_t{0});
  result.io_gid = table["IoGid"].value_or(uint32_t{0});
  return result;
}

RuntimeOptions from(const wire::GenericOptions& message) {
  if (!message.config_path().empty())
    return from_toml(read_file(message.config_path()), message.config_path());
  return from_toml(message.config_body(), "config_body");
}

RuntimeOptions decode_any(const wire::Any& any) {
  if (any.type_url().empty() || any.value().empty()) return {};
  const std::string type = bare_type(any.type_url());
  if (type == "containerd.runc.v1.Options") return from(parse_message<wire::RuncOptions>(any));
  if (type == "containerd.linux.runc.CreateOptions")
    return from(parse_message<wire::LegacyCreateOptions>(any));
  if (type == "runtimeoptions.v1.Options") return from(parse_message<wire::GenericOptions>(any));
  fail(ErrorKind::invalid_input, "unsupported runtime options type {}", any.type_url());
}

}  // namespace

std::string bare_type(std::string type_url) {
  constexpr std::string_view prefix = "type.googleapis.com/";
  if (type_url.starts_with(prefix)) type_url.erase(0, prefix.size());
  return type_url;
}

RuntimeOptions RuntimeOptions::decode(const wire::Any& any) {
  RuntimeOptions result = decode_any(any);
  if (result.binary.empty()) result.binary = oci::default_runtime();
  return result;
}

RuntimeOptions RuntimeOptions::load(const fs::path& bundle) {
  RuntimeOptions result;
  result.binary = oci::default_runtime();
  const Directory directory(bundle);
  if (!directory.exists(options_file)) return result;  // Create never came
  try {
    const nlohmann::json json = parse_json(directory.read_file(options_file, options_limit), options_file,
                                           {.bytes = options_limit, .depth = 4});
    result.binary = optional_string(json, "binary_name", options_file, result.binary);
    result.root = optional_string(json, "root", options_file, result.root);
    result.systemd_cgroup = json.value("systemd_cgroup", false);
  } catch (const std::exception&) {  // cut off by a crash: the defaults are the best guess
  }
  return result;
}

void RuntimeOptions::save(const fs::path& bundle) const {
  nlohmann::ordered_json json{
      {"binary_name", binary}, {"root", root.string()}, {"systemd_cgroup", systemd_cgroup}};
  const Directory directory(bundle);
  directory.write_file(options_file,
                       json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), 0600);
  directory.write_file("runtime", binary, 0600);
}

oci::Runtime RuntimeOptions::runtime(const std::string& namespace_name) const {
  return oci::Runtime({.binary = binary,
                       .root = root / namespace_name,
                       .systemd_cgroup = systemd_cgroup,
                       .no_pivot_root = no_pivot_root,
                       .no_new_keyring = no_new_keyring,
                       .criu = criu_path});
}

}  // namespace flox::shim
