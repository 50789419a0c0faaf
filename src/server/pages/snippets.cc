#include "server/pages/snippets.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/letter_case.h"

namespace flox::server {
namespace {

constexpr size_t longest_label = 63;  // RFC 1123, as Kubernetes has names of objects

// A label of DNS: letters in lower case, digits, '-'.
std::string label_of(std::string_view name) {
  std::string label;
  for (const char c : lower_case(name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      label += c;
    } else if (!label.empty() && label.back() != '-') {
      label += '-';
    }
    if (label.size() == longest_label) break;
  }
  while (!label.empty() && label.back() == '-') label.pop_back();
  return label.empty() ? "app" : label;
}

// A YAML scalar that is read as just this text: YAML's double-quoted scalars are JSON's strings.
std::string scalar(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string deployment(std::string_view name, std::string_view environment, std::string_view program) {
  const std::string label = label_of(name);
  return fmt::format(R"(apiVersion: apps/v1
kind: Deployment
metadata:
  name: {0}
spec:
  replicas: 1
  selector:
    matchLabels: {{ app: {0} }}
  template:
    metadata:
      labels: {{ app: {0} }}
      annotations:
        flox.dev/environment: {1}
    spec:
      runtimeClassName: flox
      containers:
        - name: main
          image: ghcr.io/flox/flox:latest
          command: [{2}]
)",
                     scalar(label), scalar(environment), scalar(program));
}

std::string rollback_command(std::string_view environment) {
  const nlohmann::json patch = {
      {"spec", {{"template", {{"metadata", {{"annotations", {{"flox.dev/environment", environment}}}}}}}}}};
  return "kubectl patch deployment NAME --patch " +
         shell_word(patch.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view plain = "-._/:@%+=,";
  const bool is_plain = !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           plain.find(c) != std::string_view::npos;
  });
  if (is_plain) return std::string(text);
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'')
      word += "'\\''";
    else
      word += c;
  }
  return word + "'";
}

}  // namespace flox::server
