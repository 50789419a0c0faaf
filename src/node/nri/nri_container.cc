#include "node/nri/nri_container.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"

namespace flox::node {
namespace {

using oci::Json;

constexpr std::string_view annotation_prefix = "flox.dev/";

Json json_of(const nri_api::Mount& mount) {
  return {{"destination", mount.destination()},
          {"type", mount.type()},
          {"source", mount.source()},
          {"options", std::vector<std::string>(mount.options().begin(), mount.options().end())}};
}

nri_api::Mount mount_of(const Json& json) {
  nri_api::Mount mount;
  mount.set_destination(json.at("destination").get<std::string>());
  mount.set_type(json.at("type").get<std::string>());
  mount.set_source(json.at("source").get<std::string>());
  for (const Json& option : json.at("options")) mount.add_options(option.get<std::string>());
  return mount;
}

const Json& mounts_of(const oci::RuntimeSpec& spec) {
  static const Json none = Json::array();
  const auto found = spec.document().find("mounts");
  return found == spec.document().end() ? none : *found;
}

std::pair<std::string_view, std::string_view> split_variable(std::string_view entry) {
  const size_t equals = entry.find('=');
  if (equals == std::string_view::npos) return {entry, {}};
  return {entry.substr(0, equals), entry.substr(equals + 1)};
}

using Values = std::unordered_map<std::string_view, std::string_view>;
Values values_in(const oci::Environment& environment) {
  Values values;
  for (const std::string& entry : environment) {
    const auto [name, value] = split_variable(entry);
    values.insert_or_assign(name, value);
  }
  return values;
}

void add_variable(nri_api::ContainerAdjustment& adjustment, std::string name, std::string_view value) {
  nri_api::KeyValue* variable = adjustment.add_env();
  variable->set_key(std::move(name));
  variable->set_value(std::string(value));
}

void adjust_environment(const oci::Environment& before, const oci::Environment& after,
                        nri_api::ContainerAdjustment& adjustment) {
  const Values old_values = values_in(before), new_values = values_in(after);
  for (const auto& [name, value] : new_values) {
    const auto old = old_values.find(name);
    if (old != old_values.end() && old->second == value) continue;
    if (name.empty() || name.starts_with('-'))
      fail(ErrorKind::invalid_input, "the activation sets a variable '{}', which NRI cannot", name);
    add_variable(adjustment, std::string(name), value);
  }
  for (const auto& [name, value] : old_values)
    if (!new_values.contains(name)) add_variable(adjustment, fmt::format("-{}", name), {});
}

// Whether `after` is `before` with its program's path in the place of a name that PATH leads to.
bool is_found_by_path(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  return before.size() == after.size() && !before.empty() && before[0].find('/') == std::string::npos &&
         after[0].ends_with("/bin/" + before[0]) &&
         std::equal(before.begin() + 1, before.end(), after.begin() + 1);
}

}  // namespace

NriAbilities NriAbilities::of(const std::string& runtime, const std::string& version) {
  const char* at = version.c_str() + (version.starts_with('v') ? 1 : 0);
  const char* const end = version.c_str() + version.size();
  int major = 0, minor = 0;
  const auto dot = std::from_chars(at, end, major);
  if (runtime != "containerd" || dot.ec != std::errc() || dot.ptr == end || *dot.ptr != '.') return {};
  if (std::from_chars(dot.ptr + 1, end, minor).ec != std::errc()) return {};
  return {.args = std::pair(major, minor) >= std::pair(2, 2)};
}

oci::RuntimeSpec spec_of(const nri_api::PodSandbox& pod, const nri_api::Container& container) {
  Json annotations = Json::object();
  for (const auto& [name, value] : pod.annotations())
    if (name.starts_with(annotation_prefix)) annotations[name] = value;
  annotations["io.kubernetes.cri.container-type"] = "container";
  annotations["io.kubernetes.cri.container-name"] = container.name();
  annotations["io.kubernetes.cri.sandbox-id"] = pod.id();
  annotations["io.kubernetes.cri.sandbox-name"] = pod.name();
  annotations["io.kubernetes.cri.sandbox-namespace"] = pod.namespace_();
  annotations["io.kubernetes.cri.sandbox-uid"] = pod.uid();
  const char* const image = "io.kubernetes.cri.image-name";  // containerd's own, in the container's
  if (const auto name = container.annotations().find(image); name != container.annotations().end())
    annotations[image] = name->second;

  Json mounts = Json::array(), namespaces = Json::array(), devices = Json::array();
  for (const auto& mount : container.mounts()) mounts.push_back(json_of(mount));
  for (const auto& entry : container.linux().namespaces())
    namespaces.push_back({{"type", entry.type()}, {"path", entry.path()}});
  for (const auto& device : container.linux().devices()) devices.push_back({{"path", device.path()}});
  const Json document = {
      {"annotations", std::move(annotations)},
      {"process",
       {{"args", std::vector<std::string>(container.args().begin(), container.args().end())},
        {"env", std::vector<std::string>(container.env().begin(), container.env().end())},
        {"user", {{"uid", container.user().uid()}, {"gid", container.user().gid()}}}}},
      {"mounts", std::move(mounts)},
      {"linux", {{"namespaces", std::move(namespaces)}, {"devices", std::move(devices)}}}};
  return oci::RuntimeSpec::parse(document.dump(-1, ' ', false, Json::error_handler_t::replace),
                                 "the container");
}

nri_api::ContainerAdjustment adjustment_of(const oci::RuntimeSpec& before, const oci::RuntimeSpec& after,
                                           const NriAbilities& abilities) {
  nri_api::ContainerAdjustment adjustment;
  const Json &old_mounts = mounts_of(before), &new_mounts = mounts_of(after);
  for (size_t i = 0; i < new_mounts.size(); ++i)
    if (i >= old_mounts.size() || old_mounts[i] != new_mounts[i])
      *adjustment.add_mounts() = mount_of(new_mounts[i]);
  const oci::ProcessSpec old_process = before.process(), new_process = after.process();
  adjust_environment(old_process.env(), new_process.env(), adjustment);
  const std::vector<std::string> old_args = old_process.args(), new_args = new_process.args();
  if (old_args == new_args) return adjustment;
  if (abilities.args)
    for (const std::string& word : new_args) adjustment.add_args(word);
  else if (!is_found_by_path(old_args, new_args))
    throw Error(ErrorKind::invalid_input,
                "the environment has hooks or services, and plugins of this containerd cannot change a "
                "container's command",
                "Use containerd 2.2 or later, or give the pod runtimeClassName: flox.");
  return adjustment;
}

}  // namespace flox::node
