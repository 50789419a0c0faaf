// Amazon S3 over its REST interface: virtual-hosted addresses at AWS, path-style ones at any other endpoint.
#pragma once

#include "ticket/aws/client.h"
#include "ticket/backend/backend.h"

namespace ticket::aws {

class S3Store : public ObjectStore {
 public:
  explicit S3Store(Client client) : client_(std::move(client)) {}

  void check_bucket(const std::string& bucket) override;
  std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t limit) override;
  void put(const std::string& bucket, const std::string& key, const std::string& content) override;
  bool put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) override;
  void remove(const std::string& bucket, const std::string& key) override;

 private:
  Client client_;
};

// The address of an object, or of the bucket if `key` is empty. Throws flox::Error(invalid_input) for keys
// that URLs cannot carry: with a segment "." or "..", which HTTP clients and proxies take out of the path.
std::string object_url(const Config& config, const std::string& bucket, const std::string& key);

// Makes a bucket, or leaves one that is ours already as it is.
void create_bucket(const Client& client, const std::string& bucket);
// Tells the bucket to announce new objects in the queue of that ARN.
void notify_queue(const Client& client, const std::string& bucket, const std::string& queue_arn);

}  // namespace ticket::aws
