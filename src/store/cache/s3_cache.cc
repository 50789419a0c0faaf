#include "store/cache/s3_cache.h"

#include <cstdlib>

#include "base/net/aws/profile.h"

namespace flox::store {
namespace {

std::string region_of(const CacheUrl& url) {
  if (!url.region.empty()) return url.region;
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (const char* region = std::getenv(name); region != nullptr && *region != '\0') return region;
  return "us-east-1";
}

// At an endpoint of one's own the bucket is in the path, at AWS in the host's name.
std::string base_of(const CacheUrl& url, const std::string& bucket) {
  if (url.endpoint.empty()) return fmt::format("https://{}.s3.{}.amazonaws.com", bucket, region_of(url));
  const bool whole = url.endpoint.find("://") != std::string::npos;
  std::string endpoint = whole ? url.endpoint : url.s3_scheme + "://" + url.endpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (in_context("cache " + url.text + ": endpoint", [&] { return HttpUrl::parse(endpoint); }).login)
    fail(ErrorKind::invalid_input, "cache {}: endpoint: it has a user or password, which S3 does not know",
         url.text);
  return endpoint + "/" + bucket;
}

std::optional<aws::Credentials> find_credentials(const CacheUrl& url) {
  if (!url.profile.empty()) {
    auto found = aws::credentials_in(aws::load_profile(url.profile));
    if (!found)
      throw Error(ErrorKind::not_found,
                  fmt::format("cache {}: the profile '{}' has no keys", url.text, url.profile),
                  "Write them to ~/.aws/credentials, or leave profile= out of the URL.");
    return found;
  }
  if (auto found = aws::credentials_in_environment()) return found;
  return aws::credentials_in(aws::load_profile());
}

}  // namespace

S3Bucket find_s3_bucket(const CacheUrl& url, const std::string& bucket) {
  return {.base_url = base_of(url, bucket),
          .scope = {.region = region_of(url), .service = "s3"},
          .credentials = find_credentials(url)};
}

S3Cache::S3Cache(CacheUrl url) : S3Cache(url, find_s3_bucket(url, url.rest)) {}

S3Cache::S3Cache(CacheUrl url, S3Bucket bucket)
    : HttpCache(url, bucket.base_url), bucket_(std::move(bucket)) {}

std::unique_ptr<BinaryCache> S3Cache::clone() const {
  return std::unique_ptr<BinaryCache>(new S3Cache(settings(), bucket_));
}

void S3Cache::authorise(HttpRequest& request) const {
  if (bucket_.credentials)
    aws::sign(request, *bucket_.credentials, bucket_.scope, std::chrono::system_clock::now());
}

}  // namespace flox::store
