// Buckets as directories, objects as files. An object appears whole or not at all, and is on the disk when a
// call returns. Nothing in a bucket is followed: a link in an object's place is none.
#pragma once

#include <filesystem>

#include "ticket/backend/backend.h"

namespace ticket::local {

class LocalObjects : public ObjectStore {
 public:
  // `root` holds the buckets.
  explicit LocalObjects(std::filesystem::path root) : root_(std::move(root)) {}

  void check_bucket(const std::string& bucket) override;
  std::optional<std::string> get(const std::string& bucket, const std::string& key, size_t limit) override;
  void put(const std::string& bucket, const std::string& key, const std::string& content) override;
  bool put_if_absent(const std::string& bucket, const std::string& key, const std::string& content) override;
  void remove(const std::string& bucket, const std::string& key) override;

 private:
  bool write(const std::string& bucket, const std::string& key, const std::string& content, bool replace);
  std::filesystem::path root_;
};

// Makes the bucket unless there is one. Removes what writers that were killed left in it an hour ago or more.
void create_bucket(const std::filesystem::path& root, const std::string& bucket);

// The name of an object's file: the key, percent-encoded with its slashes and a first dot, so that every key
// is a file and none hides; for those over 200 bytes the first 100 of it, "~" and the key's SHA-256.
std::string file_name(const std::string& key);

}  // namespace ticket::local
