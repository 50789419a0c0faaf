#include "env/container_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/printable.h"

namespace flox::env {
namespace {

using nlohmann::json;

constexpr size_t longest_shown = 100;  // characters

[[noreturn]] void fail_member(const std::string& name, const std::string& what) {
  fail(ErrorKind::invalid_input, "containerize.config.{}: {}", printable(name, longest_shown), what);
}

std::string text_of(const json& value, const std::string& name) {
  if (!value.is_string()) fail_member(name, "a text is needed");
  const auto& text = value.get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) fail_member(name, "it has a NUL");
  return text;
}

std::vector<std::string> list_of(const json& value, const std::string& name) {
  if (!value.is_array()) fail_member(name, "a list of texts is needed");
  std::vector<std::string> items;
  for (const json& item : value) items.push_back(text_of(item, name));
  return items;
}

std::string absolute(std::string path, const std::string& name) {
  if (!path.starts_with('/'))
    fail_member(name, fmt::format("'{}' is no absolute path", printable(path, longest_shown)));
  return path;
}

// "8080" is "8080/tcp".
std::string port_of(const std::string& text, const std::string& name) {
  const std::string number = text.substr(0, text.find('/'));
  const std::string protocol = number.size() == text.size() ? "tcp" : text.substr(number.size() + 1);
  const bool is_number = !number.empty() && number.size() <= 5 &&
                         std::ranges::all_of(number, [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!is_number || std::stoi(number) < 1 || std::stoi(number) > 65535 ||
      (protocol != "tcp" && protocol != "udp" && protocol != "sctp"))
    fail_member(name, fmt::format("'{}' is no port, as 8080/tcp", printable(text, longest_shown)));
  return number + "/" + protocol;
}

}  // namespace

ContainerConfig container_config(const json& manifest) {
  ContainerConfig config;
  const auto containerize = manifest.find("containerize");
  if (containerize == manifest.end() || containerize->is_null()) return config;
  const auto wanted = containerize->find("config");
  if (wanted == containerize->end() || wanted->is_null()) return config;
  if (!wanted->is_object()) fail(ErrorKind::invalid_input, "containerize.config: a table is needed");
  for (const auto& [name, value] : wanted->items()) {
    if (value.is_null()) continue;
    if (name == "user") {
      config.user = text_of(value, name);
    } else if (name == "exposed-ports") {
      for (const std::string& port : list_of(value, name))
        config.exposed_ports.push_back(port_of(port, name));
    } else if (name == "cmd") {
      config.command = list_of(value, name);
    } else if (name == "volumes") {
      for (std::string& path : list_of(value, name))
        config.volumes.push_back(absolute(std::move(path), name));
    } else if (name == "working-dir") {
      config.working_directory = absolute(text_of(value, name), name);
    } else if (name == "labels") {
      if (!value.is_object()) fail_member(name, "a table of texts is needed");
      for (const auto& [label, text] : value.items())
        config.labels[label] = text_of(text, name + "." + label);
    } else if (name == "stop-signal") {
      config.stop_signal = text_of(value, name);
    } else {
      fail_member(name, "there is no such setting of a container");
    }
  }
  return config;
}

}  // namespace flox::env
