// A binary cache in an S3 bucket, at AWS or any endpoint that speaks like it (MinIO, LocalStack, moto):
//   s3://BUCKET?region=…&endpoint=https://…&scheme=https&profile=…
#pragma once

#include "base/net/aws/sigv4.h"
#include "store/cache/http_cache.h"

namespace flox::store {

// A bucket: where its objects are, and how requests to it are signed.
struct S3Bucket {
  std::string base_url;  // "https://bucket.s3.eu-central-1.amazonaws.com", "http://minio:9000/bucket"
  aws::Scope scope;
  std::optional<aws::Credentials> credentials;  // none: requests go unsigned
};

// Requests are signed with the keys of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or
// else with those of the profile (the URL's, $AWS_PROFILE, "default") in the shared files
// (base/net/aws/profile.h). With neither they go unsigned: a public bucket. The region is the URL's,
// $AWS_REGION or us-east-1. Throws Error: not_found if the URL names a profile that the files have not,
// invalid_input for half a pair of keys in the environment.
S3Bucket find_s3_bucket(const CacheUrl& url, const std::string& bucket);

class S3Cache : public HttpCache {
 public:
  // Throws Error as find_s3_bucket() does.
  explicit S3Cache(CacheUrl url);
  std::unique_ptr<BinaryCache> clone() const override;

 protected:
  void authorise(HttpRequest& request) const override;

 private:
  S3Cache(CacheUrl url, S3Bucket bucket);

  S3Bucket bucket_;
};

}  // namespace flox::store
