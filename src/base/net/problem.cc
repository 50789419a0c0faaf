#include "base/net/problem.h"

#include "base/data/json.h"
#include "base/printable.h"

namespace flox {

Problem problem_of(const HttpResponse& response) noexcept {
  constexpr size_t longest = 300;  // characters
  constexpr const char* name = "problem";
  try {
    const auto type = response.headers.find("content-type");
    if (response.is_foreign || type == response.headers.end() ||
        !type->second.starts_with("application/problem+json"))
      return {};
    const nlohmann::json document =
        parse_json(response.body, name, {.bytes = 64 << 10, .depth = 16, .values = 1000});
    const auto text = [&](const char* key) {
      return printable(optional_string(document, key, name), longest);
    };
    return {.title = text("title"), .detail = text("detail"), .advice = text("advice")};
  } catch (const std::exception&) {  // then the status says all there is
    return {};
  }
}

}  // namespace flox
