#include "store/cache/s3_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

TEST_F(HttpRealiseTest, requests_to_a_bucket_are_signed) {
  std::atomic<int> unsigned_requests = 0;
  instead_ = [&](const ServerRequest& request) -> std::optional<ServerResponse> {
    const auto header = request.headers.find("authorization");
    const bool good = header != request.headers.end() && request.headers.contains("x-amz-date") &&
                      header->second.starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/") &&
                      header->second.find("/eu-central-1/s3/aws4_request,") != std::string::npos;
    if (!good) ++unsigned_requests;
    if (!request.path.starts_with("/bucket/")) return ServerResponse{.status = 400};
    const fs::path file = temp_.path() / "cache" / request.path.substr(8);
    if (!fs::exists(file)) return ServerResponse{.status = 403};
    return ServerResponse{.content_type = "application/octet-stream", .body_file = file};
  };
  ::setenv("AWS_ACCESS_KEY_ID", "AKIATEST", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  LocalStore store(node());
  const auto result = realise(
      store, {*app_},
      options({fmt::format("s3://bucket?region=eu-central-1&endpoint=http://127.0.0.1:{}", server_.port())}));
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(result.paths_fetched, 3u);
  EXPECT_EQ(unsigned_requests, 0);
}

}  // namespace
}  // namespace flox::store
