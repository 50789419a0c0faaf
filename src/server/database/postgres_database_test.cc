#include "server/database/postgres_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace flox::server {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string options_of(const std::string& url, const std::string& password = "") {
  return postgres_options(url, Secret(password)).reveal();
}
std::string refusal_of(const std::string& url) {
  try {
    options_of(url);
  } catch (const Error& error) {
    return std::string(error.what()) + " | " + error.advice();
  }
  return "accepted";
}

TEST(PostgresOptions, a_password_stands_in_no_url_and_in_no_message) {
  for (const char* url : {"postgresql://me:sesame@db/flox", "postgresql://db/flox?password=sesame"}) {
    EXPECT_THAT(refusal_of(url), HasSubstr("--database-password-file")) << url;
    EXPECT_THAT(refusal_of(url), Not(HasSubstr("sesame"))) << url;
  }
  EXPECT_THAT(refusal_of("postgresql://me:sesame@db/flox?colour=red"), Not(HasSubstr("sesame")));
  EXPECT_THAT(options_of("postgresql://me@db/flox", R"(it's \ odd)"),
              HasSubstr(R"(password='it\'s \\ odd')"));
}

TEST(PostgresOptions, what_is_no_url_of_postgresql_is_refused) {
  for (const char* url : {"", "mysql://db/flox", "host=db", "postgresql://db/flox?colour=red"})
    EXPECT_THAT(refusal_of(url), HasSubstr("--database: ")) << url;
}

TEST(PostgresOptions, another_machine_must_show_its_certificate_unless_the_url_says_otherwise) {
  ::unsetenv("PGSSLMODE");
  ::setenv("SSL_CERT_FILE", "/certificates", 1);
  ::unsetenv("NIX_SSL_CERT_FILE");
  EXPECT_THAT(options_of("postgresql://db/flox"),
              HasSubstr("sslmode='verify-full' sslrootcert='/certificates'"));
  EXPECT_THAT(options_of("postgresql://db/flox?sslrootcert=/mine"), HasSubstr("sslrootcert='/mine'"));
  EXPECT_THAT(options_of("postgresql://db/flox?sslmode=disable"), HasSubstr("sslmode='disable'"));
  for (const char* url : {"postgresql:///flox?host=/run/postgresql", "postgresql://127.0.0.1/flox",
                          "postgresql://localhost/flox", "postgresql:///flox"})
    EXPECT_THAT(options_of(url), Not(HasSubstr("sslmode"))) << url;
  ::unsetenv("SSL_CERT_FILE");
}

TEST(PostgresSchema, texts_compare_by_bytes) {
  EXPECT_EQ(
      postgres_schema("create table t (a text not null, context bigint default 'text', b text)"),
      "create table t (a text collate \"C\" not null, context bigint default 'text', b text collate \"C\")");
}

TEST(PostgresSchema, rows_have_no_order) {
  EXPECT_EQ(postgres_schema("create table t (a bigint primary key) without rowid; select 'without rowid'"),
            "create table t (a bigint primary key) ; select 'without rowid'");
}

}  // namespace
}  // namespace flox::server
