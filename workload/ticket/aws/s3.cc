#include "ticket/aws/s3.h"

#include "base/data/xml.h"

namespace ticket::aws {
namespace {

constexpr flox::BodyLimit max_s3_answer(1 << 20);  // what is no object: lists and acknowledgements

}  // namespace

using flox::ErrorKind;

std::string object_url(const Config& config, const std::string& bucket, const std::string& key) {
  for (size_t begin = 0; begin <= key.size();) {
    size_t end = std::min(key.find('/', begin), key.size());
    std::string segment = key.substr(begin, end - begin);
    if (segment == "." || segment == "..")
      flox::fail(ErrorKind::invalid_input, "the object key '{}' has a segment '{}', which a URL cannot carry",
                 key, segment);
    begin = end + 1;
  }
  if (bucket.empty() || bucket.find_first_of("/?#@: ") != std::string::npos)
    flox::fail(ErrorKind::invalid_input, "'{}' is not the name of a bucket", bucket);
  std::string endpoint = config.endpoint_of("s3");
  // A dot in a bucket's name would break the certificate of a virtual-hosted address.
  bool path_style = config.has_own_endpoint("s3") || bucket.find('.') != std::string::npos;
  std::string path = key.empty() ? "" : fmt::format("/{}", flox::url_encode(key, true));
  if (path_style) return endpoint + "/" + bucket + path;
  return "https://" + bucket + "." + endpoint.substr(endpoint.find("://") + 3) + (path.empty() ? "/" : path);
}

void S3Store::check_bucket(const std::string& bucket) {
  flox::HttpRequest request{
      .method = "HEAD", .url = object_url(client_.config(), bucket, ""), .max_body = max_s3_answer};
  client_.call("s3", "looking for the bucket " + bucket, request);
}

std::optional<std::string> S3Store::get(const std::string& bucket, const std::string& key, size_t limit) {
  flox::HttpRequest request{.url = object_url(client_.config(), bucket, key),
                            .max_body = flox::BodyLimit(limit + 1)};
  // One byte over the limit tells an object that is too large from one that just fits, and costs no more.
  request.headers = {{"Range", fmt::format("bytes=0-{}", limit)}};
  std::string what = fmt::format("reading s3://{}/{}", bucket, key);
  flox::HttpResponse response;
  try {
    response = client_.call("s3", what, request);
  } catch (const flox::Error& error) {
    std::string_view message = error.what();
    if (error.kind() == ErrorKind::not_found && message.find("NoSuchKey") != std::string_view::npos)
      return std::nullopt;
    // An empty object has no byte that a range could begin with.
    if (message.find("InvalidRange") != std::string_view::npos) return "";
    throw;
  }
  if (response.body.size() > limit)
    flox::fail(ErrorKind::invalid_input, "{}: it has more than {} bytes", what, limit);
  auto length = response.headers.find("content-length");
  if (length != response.headers.end() && length->second != std::to_string(response.body.size()))
    flox::fail(ErrorKind::unavailable, "{}: got {} of {} bytes", what, response.body.size(), length->second);
  return std::move(response.body);
}

namespace {
flox::HttpRequest put_request(const Config& config, const std::string& bucket, const std::string& key,
                              const std::string& content) {
  flox::HttpRequest request{
      .method = "PUT", .url = object_url(config, bucket, key), .max_body = max_s3_answer};
  request.headers = {{"Content-Type", "application/json"}};
  request.body = content;
  return request;
}
}  // namespace

void S3Store::put(const std::string& bucket, const std::string& key, const std::string& content) {
  client_.call("s3", fmt::format("writing s3://{}/{}", bucket, key),
               put_request(client_.config(), bucket, key, content));
}

bool S3Store::put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) {
  flox::HttpRequest request = put_request(client_.config(), bucket, key, content);
  request.headers.emplace_back("If-None-Match", "*");
  try {
    client_.call("s3", fmt::format("writing s3://{}/{}", bucket, key), request);
    return true;
  } catch (const flox::Error& error) {
    if (error.kind() == ErrorKind::conflict) return false;
    throw;
  }
}

void S3Store::remove(const std::string& bucket, const std::string& key) {
  flox::HttpRequest request{
      .method = "DELETE", .url = object_url(client_.config(), bucket, key), .max_body = max_s3_answer};
  client_.call("s3", fmt::format("removing s3://{}/{}", bucket, key), request);
}

void create_bucket(const Client& client, const std::string& bucket) {
  const Config& config = client.config();
  flox::HttpRequest request{
      .method = "PUT", .url = object_url(config, bucket, ""), .max_body = max_s3_answer};
  if (config.region != "us-east-1")  // the one region that must not be named
    request.body =
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>" +
        flox::xml_escape(config.region) + "</LocationConstraint></CreateBucketConfiguration>";
  try {
    client.call("s3", "making the bucket " + bucket, request);
  } catch (const flox::Error& error) {
    if (std::string_view(error.what()).find("BucketAlreadyOwnedByYou") == std::string_view::npos) throw;
  }
}

void notify_queue(const Client& client, const std::string& bucket, const std::string& queue_arn) {
  flox::HttpRequest request{.method = "PUT",
                            .url = object_url(client.config(), bucket, "") + "?notification=",
                            .max_body = max_s3_answer};
  request.headers = {{"Content-Type", "application/xml"}};
  request.body =
      "<NotificationConfiguration "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><QueueConfiguration><Queue>" +
      flox::xml_escape(queue_arn) +
      "</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>";
  client.call("s3", fmt::format("having the bucket {} announce new objects in {}", bucket, queue_arn),
              request);
}

}  // namespace ticket::aws
