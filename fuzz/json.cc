// JSON from anywhere, through the one function that reads it: what it takes is what nlohmann's own parser
// takes, no deeper and no larger than allowed, and what it refuses it refuses with a place in the text.
#include "base/data/json.h"

#include "fuzz.h"

namespace flox::fuzz::of_json {
namespace {

constexpr JsonLimits limits{.bytes = 1 << 20, .depth = 20, .values = 500, .number = 40};

// How many values the document has; that it is not too deep is seen before it is gone into.
void measure(const nlohmann::json& value, size_t depth, size_t& values) {
  require(depth <= limits.depth, "no document is nested deeper than the limit");
  ++values;
  if (!value.is_structured()) return;
  for (const auto& member : value) measure(member, depth + 1, values);
}

}  // namespace

void one(std::string_view input) {
  nlohmann::json document;
  std::string problem;
  const bool taken = accepts([&] {
    try {
      document = parse_json(input, "input", limits);
    } catch (const Error& error) {
      problem = error.what();
      throw;
    }
  });
  if (!taken) {
    require(problem.starts_with("input:") && problem.find('\n') == std::string::npos,
            "a refusal is one line with its place");
    accepts([&] { parse_ordered_json(input, "input", limits); });
    return;
  }
  size_t values = 0;
  measure(document, document.is_structured() ? 1 : 0, values);
  require(values <= limits.values, "no document has more values than the limit");
  require(nlohmann::json::parse(input, nullptr, false) == document, "what is taken is what the text says");
  nlohmann::ordered_json ordered;
  require(accepts([&] { ordered = parse_ordered_json(input, "input", limits); }), "both forms take the same");
  require(nlohmann::json::parse(ordered.dump()) == document, "both forms say the same");
  require(parse_json(document.dump(), "dump") == document, "what was read can be written and read again");
}

}  // namespace flox::fuzz::of_json
