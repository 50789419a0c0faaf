// An object store for tests: a directory, or a prefix of its own in the bucket that FLOX_TEST_S3 names
// (test/catalog/unit_tests.sh).
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "server/files/directory_store.h"
#include "server/files/s3_store.h"

namespace flox::server {

class TestStore {
 public:
  explicit TestStore(std::filesystem::path directory) : directory_(std::move(directory)) {
    static int made = 0;
    name_ = fmt::format("test-{}-{}", ::getpid(), ++made);
  }

  static bool in_bucket() { return std::getenv("FLOX_TEST_S3") != nullptr; }
  // Opened as a catalog does; any number of times.
  std::unique_ptr<ObjectStore> open(Presign presign = Presign::always) const {
    if (!in_bucket()) return std::make_unique<DirectoryStore>(directory_);
    static int opened = 0;
    // The variable has NAME where the prefix is to stand.
    std::string url = std::getenv("FLOX_TEST_S3");
    url.replace(url.find("NAME"), 4, name_);
    return std::make_unique<S3Store>(url, directory_ / fmt::format("spool-{}", ++opened), presign);
  }

 private:
  std::filesystem::path directory_;
  std::string name_;
};

}  // namespace flox::server
