// Names and paths as Kubernetes' API server validates them. Many of them become names of files here.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
#pragma once

#include <string>
#include <string_view>

namespace flox::kube {

// Lower-case letters, digits and inner dashes, at most 63: containers, volumes, namespaces.
bool is_dns_label(std::string_view text) noexcept;
// Such labels joined by dots, at most 253: objects.
bool is_dns_subdomain(std::string_view text) noexcept;
// A key of a ConfigMap or Secret: [-._a-zA-Z0-9]+, at most 253, neither "." nor beginning with "..".
bool is_data_key(std::string_view text) noexcept;
// "app", "example.com/app": a label's or annotation's key.
bool is_qualified_name(std::string_view text) noexcept;
// A label's value.
bool is_label_value(std::string_view text) noexcept;
// A port's name (RFC 6335) or a number from 1 to 65535.
bool is_port(std::string_view text) noexcept;
// A kind: letters and digits, beginning with a capital one.
bool is_kind(std::string_view text) noexcept;

// A path below something: not empty, not absolute, no ".." among its components, at most 4096 bytes.
bool is_descending_path(std::string_view text) noexcept;
// The same, and it does not begin with "..", which is kept for the volume's own links.
bool is_item_path(std::string_view text) noexcept;
// An absolute path without "..".
bool is_host_path(std::string_view text) noexcept;

}  // namespace flox::kube
