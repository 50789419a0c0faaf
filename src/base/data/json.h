// JSON from outside: the only way in which this project reads it (script/lint refuses nlohmann's own
// parse()).
//
// A text is checked for its size, depth, members and numbers before anything is built from it, in one pass
// that uses no stack, so a hostile text costs microseconds and a constant amount of memory. That bounds what
// comes after it, too: copying, comparing and dumping a nlohmann document recurse once a level.
#pragma once  // Fuzzed by fuzz/json.cc.

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"

namespace flox {

struct JsonLimits {
  size_t bytes = 16 << 20;
  size_t depth = 64;        // levels of arrays and objects; deep enough for any format that we read
  size_t values = 1 << 20;  // members and elements in all
  size_t number = 64;       // characters of one number
};

// Throws Error(invalid_input) "NAME:LINE:COLUMN: …" for what is no JSON (RFC 8259), breaks a limit, or gives
// an object two members of one name (readers disagree about which one counts). Lines and columns count from
// 1, columns in bytes.
nlohmann::json parse_json(std::string_view text, std::string_view name, const JsonLimits& limits = {});
// The same with the members in the order of the text. Finding a member takes time by their number.
nlohmann::ordered_json parse_ordered_json(std::string_view text, std::string_view name,
                                          const JsonLimits& limits = {});

// A member that must be there with the right type, or may be absent. Throws Error(invalid_input) "NAME: …";
// no exception of the library's leaves these.
const nlohmann::json& member(const nlohmann::json& object, const char* key, std::string_view name);
std::string string_member(const nlohmann::json& object, const char* key, std::string_view name);
std::string optional_string(const nlohmann::json& object, const char* key, std::string_view name,
                            std::string fallback = {});

}  // namespace flox
