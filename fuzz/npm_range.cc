// Versions of npm's packages and ranges of them.
#include "fuzz.h"
#include "package/npm/semver.h"

namespace flox::fuzz::of_npm_range {

void one(std::string_view input) {
  const std::string text(input);
  if (const auto version = package::NpmVersion::find(text)) {
    const auto again = package::NpmVersion::find(version->to_string());
    require(again && *again == *version, "the text of a version is that version");
    require(version->to_string().find_first_of("/ \n") == std::string::npos,
            "a version is part of a file's name");
  }
  if (const auto range = package::NpmRange::find(text)) range->admits({.major = 1, .minor = 2, .patch = 3});
}

}  // namespace flox::fuzz::of_npm_range
