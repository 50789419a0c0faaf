// Pages of an index of Python distributions.
#include "fuzz.h"
#include "package/python/project_page.h"

namespace flox::fuzz::of_python_index {

void one(std::string_view input) {
  accepts([&] {
    for (const auto& file : package::parse_project_page(input, "https://index.example/simple/a/")) {
      require(file.url.starts_with("https://") || file.url.starts_with("http://"),
              "a file is at a URL of HTTP");
      require(file.hash.algorithm == nix::HashAlgorithm::sha256, "a file has a SHA-256");
    }
  });
  accepts([&] {
    const std::string url = package::absolute_url(std::string(input), "https://index.example/simple/a/");
    require(url.starts_with("https://") || url.starts_with("http://"), "a reference is a URL of HTTP");
  });
}

}  // namespace flox::fuzz::of_python_index
