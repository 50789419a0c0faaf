// A database for tests: a file, or a database of its own on the server that FLOX_TEST_DATABASE names
// (test/catalog/unit_tests.sh).
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "server/database/postgres_database.h"
#include "server/database/sqlite_database.h"
#include "server/records/database.h"

namespace flox::server {

class TestDatabase {
 public:
  explicit TestDatabase(const std::filesystem::path& directory) : directory_(directory) {
    if (!on_server()) return;
    static int made = 0;
    name_ = fmt::format("test_{}_{}", ::getpid(), ++made);
    administer("create database " + name_);
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  ~TestDatabase() {
    if (name_.empty()) return;
    try {
      administer("drop database " + name_ + " with (force)");
    } catch (const std::exception&) {  // the server's directory goes with the test
    }
  }

  static bool on_server() { return std::getenv("FLOX_TEST_DATABASE") != nullptr; }
  // Opened as a catalog does; any number of times.
  std::unique_ptr<Database> open() const {
    return on_server() ? open_database(url_of(name_), Secret()) : open_database(directory_);
  }
  // Without the catalog's tables.
  std::unique_ptr<Database> open_empty() const {
    return on_server() ? open_postgres(url_of(name_), Secret()) : open_sqlite(directory_ / "empty.sqlite");
  }

 private:
  // The variable has NAME where the database's name is to stand.
  static std::string url_of(const std::string& name) {
    std::string url = std::getenv("FLOX_TEST_DATABASE");
    return url.replace(url.find("NAME"), 4, name);
  }
  static void administer(const std::string& sql) {
    open_postgres(url_of("postgres"), Secret())->transact(Access::statement, [&](Session& session) {
      session.script(sql);
    });
  }

  std::filesystem::path directory_;
  std::string name_;
};

}  // namespace flox::server
