// AWS Signature Version 4 for requests with the body in memory or in a file. Format: AWS General Reference,
// "Create a signed AWS API request"; for S3 the variant with x-amz-content-sha256 and paths that are encoded
// once.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/data/secret.h"
#include "base/net/http_client.h"

namespace flox::aws {

using Time = std::chrono::system_clock::time_point;

struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;         // empty for long-lived keys
  std::optional<Time> expires;  // none for long-lived keys
};

// What a signature is good for.
struct Scope {
  std::string region;   // "us-east-1"
  std::string service;  // "s3", "sqs", "dynamodb", …
};

// The first step, exposed for tests: every header of `request` and the host are signed; the URL's path must
// be percent-encoded already, its query is brought into canonical form.
std::string canonical_request(const HttpRequest& request, const Scope& scope, const std::string& body_hash);

// Adds X-Amz-Date, X-Amz-Content-Sha256 (S3 only), X-Amz-Security-Token (if there is one) and Authorization.
// `request` must have an absolute URL. `body_hash` is the body's SHA-256 in hex, if it is known; the body is
// hashed otherwise. Throws flox::Error(invalid_input) if the URL is not absolute.
void sign(HttpRequest& request, const Credentials& credentials, const Scope& scope, Time when,
          std::string body_hash = {});

// A URL by which anybody can GET the object of S3 at `url` until `when` + `valid` (a week at most), without a
// key. `url` is absolute, its path percent-encoded, without a query. Format: S3 API reference,
// "Authenticating Requests: Using Query Parameters". Throws flox::Error(invalid_input) for another URL.
std::string presign(std::string_view url, const Credentials& credentials, const Scope& scope, Time when,
                    std::chrono::seconds valid);

}  // namespace flox::aws
