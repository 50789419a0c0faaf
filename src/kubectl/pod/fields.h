// Members of the JSON that Kubernetes and nodes give, of which any may be absent or of another type: then
// they are empty.
#pragma once  // Fuzzed by fuzz/pod_account.cc.

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace flox::kubectl {

using Path = std::initializer_list<const char*>;

const nlohmann::json& at(const nlohmann::json& value, Path path);  // null if there is no such member
std::string text_at(const nlohmann::json& value, Path path);
int64_t number_at(const nlohmann::json& value, Path path);
bool flag_at(const nlohmann::json& value, Path path);
const nlohmann::json& list_at(const nlohmann::json& value, Path path);  // an array, always

// Unix milliseconds of an RFC 3339 time in UTC, as Kubernetes writes them ("2026-11-29T23:10:43.123456Z");
// nothing for what is none.
std::optional<int64_t> parse_time(std::string_view text);
std::optional<int64_t> time_at(const nlohmann::json& value, Path path);

}  // namespace flox::kubectl
