#include "base/net/aws/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"

namespace flox::aws {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::string header(const HttpRequest& request, std::string_view wanted) {
  for (const auto& [name, value] : request.headers)
    if (name == wanted) return value;
  return "";
}

Time utc(int year, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  using namespace std::chrono;
  return sys_days(std::chrono::year(year) / month / day) + hours(hour) + minutes(minute);
}

// The examples of "Authenticating Requests: Using the Authorization Header" in the S3 API reference.
std::string s3_example(HttpRequest request) {
  Credentials credentials{.access_key = "AKIAIOSFODNN7EXAMPLE",
                          .secret_key = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")};
  sign(request, credentials, {.region = "us-east-1", .service = "s3"}, utc(2013, 5, 24));
  return header(request, "Authorization");
}

TEST(SigV4, SignsTheIamListUsersExample) {
  HttpRequest request{.url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                      .max_body = BodyLimit(0)};
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  Credentials credentials{.access_key = "AKIDEXAMPLE",
                          .secret_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")};
  sign(request, credentials, {.region = "us-east-1", .service = "iam"}, utc(2015, 8, 30, 12, 36));
  EXPECT_EQ(header(request, "Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request,"
            "SignedHeaders=content-type;host;x-amz-date,"
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(SigV4, HashesTheIamExamplesCanonicalRequestAsPublished) {
  HttpRequest request{.url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                      .max_body = BodyLimit(0)};
  request.headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
                     {"x-amz-date", "20150830T123600Z"}};
  std::string empty = to_hex(bytes_of(sha256("")));
  std::string text = canonical_request(request, {.region = "us-east-1", .service = "iam"}, empty);
  EXPECT_EQ(to_hex(bytes_of(sha256(text))),
            "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
}

TEST(SigV4, SignsTheS3GetObjectExampleWithARange) {
  HttpRequest request{.url = "https://examplebucket.s3.amazonaws.com/test.txt", .max_body = BodyLimit(0)};
  request.headers = {{"Range", "bytes=0-9"}};
  EXPECT_THAT(s3_example(request),
              EndsWith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST(SigV4, SignsTheS3PutObjectExampleWithABody) {
  HttpRequest request{.method = "PUT",
                      .url = "https://examplebucket.s3.amazonaws.com/test%24file.text",
                      .max_body = BodyLimit(0)};
  request.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  request.body = "Welcome to Amazon S3.";
  EXPECT_THAT(s3_example(request),
              EndsWith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SigV4, SignsTheS3LifecycleExampleWhoseQueryHasNoValue) {
  HttpRequest request{.url = "https://examplebucket.s3.amazonaws.com/?lifecycle", .max_body = BodyLimit(0)};
  EXPECT_THAT(s3_example(request),
              EndsWith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4, SignsTheS3ListExampleInWhateverOrderItsQueryIs) {
  for (const char* query : {"max-keys=2&prefix=J", "prefix=J&max-keys=2"}) {
    HttpRequest request{.url = std::string("https://examplebucket.s3.amazonaws.com/?") + query,
                        .max_body = BodyLimit(0)};
    EXPECT_THAT(s3_example(request),
                EndsWith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
  }
}

TEST(SigV4, SignsTheSessionTokenOfTemporaryCredentials) {
  HttpRequest request{.method = "POST", .url = "http://localhost:4566/", .max_body = BodyLimit(0)};
  sign(request, {.access_key = "A", .secret_key = Secret("S"), .session_token = Secret("T")},
       {.region = "r", .service = "sqs"}, utc(2026, 1, 1));
  EXPECT_EQ(header(request, "X-Amz-Security-Token"), "T");
  EXPECT_THAT(header(request, "Authorization"), HasSubstr("host;x-amz-date;x-amz-security-token"));
}

TEST(SigV4, SignsTheHostWithoutTheSchemesOwnPort) {
  auto text = [](const char* url) {
    return canonical_request({.url = url, .max_body = BodyLimit(0)}, {.region = "r", .service = "s3"}, "");
  };
  EXPECT_THAT(text("https://example.org:443/a"), HasSubstr("host:example.org\n"));
  EXPECT_THAT(text("http://example.org:4566/a"), HasSubstr("host:example.org:4566\n"));
}

// The example of "Authenticating Requests: Using Query Parameters" in the S3 API reference.
TEST(SigV4, PresignsTheS3ExampleForADay) {
  const Credentials credentials{.access_key = "AKIAIOSFODNN7EXAMPLE",
                                .secret_key = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")};
  const Scope scope{.region = "us-east-1", .service = "s3"};
  const std::string url = "https://examplebucket.s3.amazonaws.com/test.txt";
  EXPECT_EQ(presign(url, credentials, scope, utc(2013, 5, 24), std::chrono::hours(24)),
            url +
                "?X-Amz-Algorithm=AWS4-HMAC-SHA256"
                "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  EXPECT_THROW(presign(url + "?versionId=1", credentials, scope, utc(2013, 5, 24), std::chrono::hours(1)),
               Error);
}

}  // namespace
}  // namespace flox::aws
