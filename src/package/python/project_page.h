// What an index of Python distributions says of a project, in JSON (PEP 691, PEP 503, PEP 592, PEP 658:
// https://packaging.python.org/en/latest/specifications/simple-repository-api/).
#pragma once  // Fuzzed by fuzz/python_index.cc.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nix/hash.h"
#include "package/python/metadata.h"

namespace flox::package {

// The type that is asked for.
inline constexpr const char* project_page_type = "application/vnd.pypi.simple.v1+json";

struct WheelFile {
  std::string file_name;
  WheelName name;
  std::string url;  // absolute
  nix::Hash hash;   // SHA-256
  bool yanked = false;
  PythonSpecifiers python;                 // Requires-Python
  std::optional<nix::Hash> metadata_hash;  // of URL.metadata, where the index has METADATA beside the wheel
};

// The wheels of the page that was at `url`. What is no wheel, has no SHA-256, or a name or condition that
// nobody can read is passed over: old projects have such files. Throws Error(invalid_input) for what is no
// such page.
std::vector<WheelFile> parse_project_page(std::string_view text, const std::string& url);

// A reference of a page as an absolute URL of http or https. Throws Error(invalid_input).
std::string absolute_url(const std::string& reference, const std::string& page);

}  // namespace flox::package
