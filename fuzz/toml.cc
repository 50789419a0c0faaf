// TOML from anywhere, through the one function that reads it.
#include "base/data/toml.h"

#include <sstream>

#include "fuzz.h"

namespace flox::fuzz::of_toml {
namespace {

constexpr TomlLimits limits{};

void measure(const toml::node& node, size_t depth) {
  require(depth <= 4 * limits.depth, "no document is nested much deeper than the limit");
  if (const auto* table = node.as_table())
    for (const auto& [name, value] : *table) measure(value, depth + 1);
  if (const auto* array = node.as_array())
    for (const auto& value : *array) measure(value, depth + 1);
}

}  // namespace

void one(std::string_view input) {
  toml::table table;
  std::string problem;
  if (!accepts([&] {
        try {
          table = parse_toml(input, "input");
        } catch (const Error& error) {
          problem = error.what();
          throw;
        }
      })) {
    require(problem.starts_with("input:"), "a refusal names its place");
    return;
  }
  measure(table, 0);
}

}  // namespace flox::fuzz::of_toml
