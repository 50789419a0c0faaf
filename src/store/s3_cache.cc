#include "store/s3_cache.h"

#include <cstdlib>
#include <sstream>

#include "base/file.h"

namespace flox::store {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string region_of(const CacheUrl& url) {
  if (!url.region.empty()) return url.region;
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (std::string region = variable(name); !region.empty()) return region;
  return "us-east-1";
}

// At an endpoint of one's own the bucket is in the path, at AWS in the host's name.
std::string base_of(const CacheUrl& url) {
  if (url.endpoint.empty()) return fmt::format("https://{}.s3.{}.amazonaws.com", url.rest, region_of(url));
  const bool whole = url.endpoint.find("://") != std::string::npos;
  std::string endpoint = whole ? url.endpoint : url.s3_scheme + "://" + url.endpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint + "/" + url.rest;
}

std::optional<aws::Credentials> from_environment() {
  aws::Credentials found{.access_key = variable("AWS_ACCESS_KEY_ID"),
                         .secret_key = variable("AWS_SECRET_ACCESS_KEY"),
                         .session_token = variable("AWS_SESSION_TOKEN"),
                         .expires = std::nullopt};
  if (found.access_key.empty() || found.secret_key.empty()) return std::nullopt;
  return found;
}

// The section [PROFILE] of the shared file.
std::optional<aws::Credentials> from_file(const std::string& profile) {
  std::string file = variable("AWS_SHARED_CREDENTIALS_FILE");
  if (file.empty()) file = variable("HOME") + "/.aws/credentials";
  std::error_code missing;
  if (!fs::exists(file, missing)) return std::nullopt;
  aws::Credentials found;
  bool inside = false;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    std::erase_if(line, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
    if (line.starts_with('[')) inside = line == "[" + profile + "]";
    const size_t equals = line.find('=');
    if (!inside || equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals);
    if (key == "aws_access_key_id") found.access_key = line.substr(equals + 1);
    if (key == "aws_secret_access_key") found.secret_key = line.substr(equals + 1);
    if (key == "aws_session_token") found.session_token = line.substr(equals + 1);
  }
  if (found.access_key.empty() || found.secret_key.empty()) return std::nullopt;
  return found;
}

std::optional<aws::Credentials> find_credentials(const CacheUrl& url) {
  if (!url.profile.empty()) {
    auto found = from_file(url.profile);
    if (!found)
      throw Error(ErrorKind::not_found,
                  fmt::format("cache {}: there are no keys of the profile '{}'", url.text, url.profile),
                  "Write them to ~/.aws/credentials, or leave profile= out of the URL.");
    return found;
  }
  if (auto found = from_environment()) return found;
  const std::string profile = variable("AWS_PROFILE");
  return from_file(profile.empty() ? "default" : profile);
}

}  // namespace

S3Cache::S3Cache(CacheUrl url)
    : HttpCache(url, {}, base_of(url)),
      credentials_(find_credentials(url)),
      scope_{.region = region_of(url), .service = "s3"} {}

void S3Cache::authorise(HttpRequest& request) const {
  if (credentials_) aws::sign(request, *credentials_, scope_, std::chrono::system_clock::now());
}

}  // namespace flox::store
