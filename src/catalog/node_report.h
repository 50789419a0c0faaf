// What a node's report to a catalog may have, for the node that makes it and the catalog that takes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flox::catalog {

inline constexpr size_t most_reported_environments = 256;
inline constexpr int64_t most_reported_containers = 100'000;  // of one environment
inline constexpr size_t longest_node_name = 253;

// As Kubernetes names nodes: a DNS subdomain (RFC 1123, section 2.1). Capitals and '_', too: host names have
// them.
inline bool is_node_name(std::string_view name) {
  const auto is_alphanumeric = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= longest_node_name &&
         is_alphanumeric(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(
             name, [&](unsigned char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

}  // namespace flox::catalog
