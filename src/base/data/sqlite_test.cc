#include "base/data/sqlite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::sqlite {
namespace {

using testing::HasSubstr;

class SqliteTest : public testing::Test {
 protected:
  SqliteTest() { connection_.execute("create table Words (word text, number integer)"); }
  Options options() const {
    return {.name = "the words",
            .lock_timeout = std::chrono::milliseconds(50),
            .locked_advice = "Wait.",
            .full_advice = "Forget some."};
  }
  int64_t count() const {
    Query row(connection_, "select count(*) from Words");
    row.next();
    return row.number(0);
  }
  static Error error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorKind::internal, ""};
  }

  TempDir directory_;
  std::filesystem::path file_ = directory_.path() / "words.sqlite";
  Connection connection_{file_, options()};
};

TEST_F(SqliteTest, one_that_is_read_only_is_read_whether_somebody_writes_it_or_not_and_makes_no_file) {
  Options reading = options();
  reading.read_only = true;
  connection_.execute("insert into Words values ('a', 1)");
  Connection beside(file_, reading);
  EXPECT_EQ(Query(beside, "select word from Words").next(), true);
  EXPECT_EQ(error_of([&] { beside.execute("delete from Words"); }).kind(), ErrorKind::unavailable);
  EXPECT_EQ(count(), 1);

  const std::filesystem::path alone = directory_.path() / "alone" / "odd?name#100%25.sqlite";
  std::filesystem::create_directory(alone.parent_path());
  connection_.execute(fmt::format("vacuum into '{}'", alone.native()).c_str());
  Connection(alone, options()).execute("insert into Words values ('b', 2)");  // makes a write-ahead log
  {
    Connection closed(alone, reading);
    Query row(closed, "select count(*) from Words");
    EXPECT_TRUE(row.next());
    EXPECT_EQ(row.number(0), 2);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(alone.parent_path()), {}), 1);
  }
  EXPECT_EQ(error_of([&] { Connection(directory_.path() / "none", reading); }).kind(),
            ErrorKind::unavailable);
}

TEST_F(SqliteTest, values_come_back_as_they_were_bound_and_a_statement_is_used_again) {
  const Statement insert(connection_, "insert into Words values (?, ?)");
  EXPECT_EQ(insert.use().bind(std::string_view("a\0b", 3)).bind(int64_t{1} << 40).run(), 1);
  EXPECT_EQ(insert.use().bind(std::string_view()).bind_null().run(), 1);
  EXPECT_EQ(insert.use().bind_optional("").bind_optional(0).run(), 1);
  EXPECT_EQ(Query(connection_, "update Words set number = 0 where number is null").run(), 2);
  Query row(connection_, "select word, number from Words order by rowid");
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.text(0), std::string("a\0b", 3));
  EXPECT_EQ(row.number(1), int64_t{1} << 40);
  ASSERT_TRUE(row.next());
  EXPECT_FALSE(row.is_null(0)) << "empty text is not NULL, wherever it points";
  ASSERT_TRUE(row.next());
  EXPECT_TRUE(row.is_null(0));
  EXPECT_EQ(row.text(0), "");
  EXPECT_FALSE(row.next());
}

TEST_F(SqliteTest, what_is_not_committed_is_undone) {
  {
    const Transaction transaction(connection_);
    connection_.execute("insert into Words values ('lost', 1)");
  }
  EXPECT_EQ(count(), 0);
  {
    Transaction transaction(connection_);
    connection_.execute("insert into Words values ('kept', 1)");
    transaction.commit();
  }
  EXPECT_EQ(count(), 1);
}

TEST_F(SqliteTest, a_reading_transaction_sees_one_moment_while_others_write) {
  const Transaction reading(connection_, Transaction::Kind::read);
  EXPECT_EQ(count(), 0);
  Connection(file_, options()).execute("insert into Words values ('new', 1)");
  EXPECT_EQ(count(), 0);
}

TEST_F(SqliteTest, a_lock_that_another_holds_is_unavailable_and_both_advices_are_given) {
  const Transaction held(connection_);
  Connection other(file_, options());
  const Error error = error_of([&] { const Transaction late(other); });
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("the words: begin immediate: database is locked"));
  EXPECT_THAT(error.advice(), HasSubstr("fuser -v " + file_.string()));
  EXPECT_THAT(error.advice(), HasSubstr("Wait."));
}

TEST_F(SqliteTest, a_full_disk_is_unavailable) {
  connection_.execute("pragma max_page_count = 1");
  const Error error = error_of([&] {
    const Statement insert(connection_, "insert into Words values (?, 1)");
    insert.use().bind(std::string(100'000, 'x')).run();
  });
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_THAT(error.advice(), HasSubstr("Make room"));
  EXPECT_THAT(error.advice(), HasSubstr("Forget some."));
}

TEST_F(SqliteTest, a_file_that_cannot_be_opened_is_named) {
  const Error error = error_of([&] { Connection(directory_.path() / "missing/file", options()); });
  EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  EXPECT_THAT(error.what(), HasSubstr("missing/file"));
}

TEST_F(SqliteTest, a_mistake_in_a_statement_is_our_own_fault) {
  const Error error = error_of([&] { Query(connection_, "select colour from Words"); });
  EXPECT_EQ(error.kind(), ErrorKind::internal);
  EXPECT_THAT(error.what(), HasSubstr("no such column"));
}

}  // namespace
}  // namespace flox::sqlite
