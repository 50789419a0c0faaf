#include "server/records/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/sqlite.h"
#include "base/os/file.h"
#include "server/records/environments.h"
#include "server/records/records.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::HasSubstr;

// The files as flox-catalog 0.1 left them.
class ReleasedFilesTest : public testing::Test {
 protected:
  ReleasedFilesTest() {
    sqlite::Connection catalog(file("catalog.sqlite"), {});
    catalog.execute(
        "create table builds (name text not null, version text not null, system text not null, variant text "
        "not null, record text not null, primary key (name, version, system, variant));"
        "create table settings (name text primary key, value text not null);"
        "insert into settings values ('keys', 'k'); pragma user_version = 1");
    sqlite::Query(catalog, "insert into builds values ('web', '1.0', 'x86_64-linux', '', ?)")
        .bind(build("web", "1.0").to_json().dump())
        .run();
    add_environments();
  }
  void add_environments(const std::string& manifest = "version = 1") {
    sqlite::Connection environments(file("environments.sqlite"), {});
    environments.execute(
        "create table environments (owner text not null, name text not null, number integer not null, "
        "manifest text not null, lock text not null, pushed_at text not null, "
        "primary key (owner, name, number))");
    for (const int64_t number : {1, 2})
      sqlite::Query(environments, "insert into environments values ('acme', 'web', ?, ?, ?, 't')")
          .bind(number)
          .bind(manifest)
          .bind(R"({"lockfile-version":1,"manifest":{},"packages":[]})")
          .run();
  }
  std::filesystem::path file(const char* name) const { return dir_.path() / name; }
  std::string message_of_opening() const {
    try {
      open_database(dir_.path());
    } catch (const Error& error) {
      return std::string(error.what()) + " | " + error.advice();
    }
    return "opened";
  }

  TempDir dir_;
};

TEST_F(ReleasedFilesTest, keep_their_content_in_one_file) {
  for (int start = 0; start < 2; ++start) {
    const auto database = open_database(dir_.path());
    const Records records(*database);
    EXPECT_EQ(records.builds("web").size(), 1u);
    EXPECT_EQ(search(records, "about WEB").size(), 1u);
    const auto latest = EnvironmentRecords(*database).find("acme", "web", std::nullopt);
    ASSERT_TRUE(latest);
    EXPECT_EQ(latest->number, 2);
    EXPECT_EQ(latest->manifest, "version = 1");
    EXPECT_FALSE(fs::exists(file("environments.sqlite")));
    EXPECT_TRUE(fs::exists(file("environments.sqlite.merged")));
  }
  // Release 0.1 opens nothing that this one has written.
  sqlite::Connection catalog(file("catalog.sqlite"), {});
  sqlite::Query version(catalog, "pragma user_version");
  ASSERT_TRUE(version.next());
  EXPECT_GT(version.number(0), 1);
}

TEST_F(ReleasedFilesTest, that_a_crash_left_half_merged_are_merged_by_the_next_start) {
  open_database(dir_.path());
  fs::rename(file("environments.sqlite.merged"), file("environments.sqlite"));
  EXPECT_EQ(message_of_opening(), "opened");
  EXPECT_FALSE(fs::exists(file("environments.sqlite")));
}

TEST_F(ReleasedFilesTest, of_two_backups_are_refused) {
  open_database(dir_.path());
  add_environments("version = 2");
  EXPECT_THAT(message_of_opening(),
              HasSubstr("generation 1 of acme/web is another one than in catalog.sqlite"));
  EXPECT_TRUE(fs::exists(file("environments.sqlite")));
}

TEST_F(ReleasedFilesTest, that_a_running_catalog_has_open_are_left_alone) {
  const sqlite::Connection old(file("environments.sqlite"), {});
  sqlite::Query reading(old, "select count(*) from environments");
  ASSERT_TRUE(reading.next());
  EXPECT_THAT(message_of_opening(), HasSubstr("Stop the flox-catalog of release 0.1 first"));
  EXPECT_TRUE(fs::exists(file("environments.sqlite")));
}

TEST_F(ReleasedFilesTest, of_a_later_release_are_refused) {
  sqlite::Connection(file("catalog.sqlite"), {}).execute("pragma user_version = 3");
  EXPECT_THAT(message_of_opening(), HasSubstr("was written by a newer flox-catalog"));
}

TEST_F(ReleasedFilesTest, with_a_record_that_cannot_be_read_stay_as_they_were) {
  sqlite::Connection(file("catalog.sqlite"), {}).execute("update builds set record = '{'");
  EXPECT_THAT(message_of_opening(), HasSubstr("changing the schema to 2"));
  sqlite::Connection catalog(file("catalog.sqlite"), {});
  sqlite::Query tables(catalog, "select count(*) from sqlite_master where name = 'descriptions'");
  ASSERT_TRUE(tables.next());
  EXPECT_EQ(tables.number(0), 0);
}

}  // namespace
}  // namespace flox::server
