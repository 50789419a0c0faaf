#include "package/python/project_page.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/net/url.h"

namespace flox::package {
namespace {

// The largest project of PyPI has some 30 MB and 20,000 files.
constexpr JsonLimits page_limits{.bytes = size_t{128} << 20, .depth = 16, .values = size_t{4} << 20};
constexpr size_t most_files = 200'000;

std::optional<nix::Hash> sha256_of(const nlohmann::json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find("sha256");
  if (found == object.end() || !found->is_string()) return std::nullopt;
  try {
    return nix::Hash::parse("sha256:" + found->get<std::string>());
  } catch (const Error&) {  // of a file that nobody can verify
    return std::nullopt;
  }
}

std::optional<WheelFile> wheel_file(const nlohmann::json& json, const std::string& page) {
  if (!json.is_object()) fail(ErrorKind::invalid_input, "a file is not an object");
  WheelFile file;
  file.file_name = string_member(json, "filename", "a file");
  auto name = WheelName::find(file.file_name);
  const auto hash = json.contains("hashes") ? sha256_of(json["hashes"]) : std::nullopt;
  if (!name || !hash) return std::nullopt;
  file.name = *std::move(name);
  file.hash = *hash;
  file.url = absolute_url(string_member(json, "url", "a file"), page);
  if (const auto yanked = json.find("yanked"); yanked != json.end())
    file.yanked = yanked->is_string() || (yanked->is_boolean() && yanked->get<bool>());
  for (const char* key : {"core-metadata", "dist-info-metadata", "data-dist-info-metadata"})
    if (const auto metadata = json.find(key); metadata != json.end() && !file.metadata_hash)
      file.metadata_hash = sha256_of(*metadata);
  if (const auto python = json.find("requires-python"); python != json.end() && python->is_string()) {
    try {
      file.python = PythonSpecifiers::parse(python->get<std::string>());
    } catch (const Error&) {  // "passed over" (the header)
      return std::nullopt;
    }
  }
  return file;
}

}  // namespace

std::string absolute_url(const std::string& reference, const std::string& page) {
  const std::string_view without_fragment = std::string_view(reference).substr(0, reference.find('#'));
  if (without_fragment.starts_with("http://") || without_fragment.starts_with("https://"))
    return HttpUrl::parse(without_fragment).to_string();
  if (without_fragment.empty() || without_fragment.find("//") != std::string_view::npos ||
      without_fragment.find(':') < without_fragment.find('/'))
    fail(ErrorKind::invalid_input, "a file is at no URL of http or https");
  const HttpUrl base = HttpUrl::parse(page);
  const std::string path = base.target.substr(0, base.target.find('?'));
  const std::filesystem::path target =
      without_fragment.starts_with('/')
          ? std::filesystem::path(without_fragment)
          : std::filesystem::path(path.substr(0, path.rfind('/') + 1)) / without_fragment;
  return HttpUrl::parse(base.origin() + target.lexically_normal().string()).to_string();
}

std::vector<WheelFile> parse_project_page(std::string_view text, const std::string& url) {
  const nlohmann::json page = parse_json(text, "the index's page", page_limits);
  return in_context("the index's page", [&] {
    if (!page.is_object()) fail(ErrorKind::invalid_input, "it is not an object");
    const auto meta = page.find("meta");
    const std::string version =
        meta != page.end() && meta->is_object() ? optional_string(*meta, "api-version", "meta") : "";
    if (!version.starts_with("1.")) fail(ErrorKind::invalid_input, "its format is not version 1");
    const auto& files = member(page, "files", "the page");
    if (!files.is_array() || files.size() > most_files)
      fail(ErrorKind::invalid_input, "'files' is not a list of at most {}", most_files);
    std::vector<WheelFile> result;
    for (const nlohmann::json& file : files)
      if (auto wheel = wheel_file(file, url)) result.push_back(*std::move(wheel));
    return result;
  });
}

}  // namespace flox::package
