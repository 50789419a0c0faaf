#include "server/database/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/os/file.h"
#include "server/testing/database.h"

namespace flox::server {
namespace {

using testing::ElementsAre;

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() {
    database_->write([](Session& session) {
      session.script("create table words (word text primary key, number bigint, note text)");
    });
  }
  void insert(std::string_view word, int64_t number) {
    database_->write([&](Session& session) {
      session.run("insert into words (word, number) values ($1, $2)", {word, number});
    });
  }
  int64_t number_of(std::string_view word) {
    const auto found = database_->row<int64_t>("select number from words where word = $1", {word});
    return found ? std::get<0>(*found) : -1;
  }

  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open_empty();
};

TEST_F(DatabaseTest, values_come_back_as_they_were_given) {
  insert("", int64_t{1} << 40);
  insert("it's $1 ?", -1);
  EXPECT_EQ(number_of(""), int64_t{1} << 40);
  EXPECT_EQ(number_of("it's $1 ?"), -1);
  const auto row = database_->row<std::optional<std::string>, std::string, std::optional<int64_t>>(
      "select note, note, number from words where word = $1", {""});
  ASSERT_TRUE(row);
  EXPECT_EQ(std::get<0>(*row), std::nullopt);
  EXPECT_EQ(std::get<1>(*row), "");
  EXPECT_EQ(std::get<2>(*row), int64_t{1} << 40);
  database_->write([](Session& session) {
    EXPECT_EQ(session.run("update words set note = $1, number = $2", {nullptr, int64_t{7}}), 2);
  });
  EXPECT_EQ(number_of(""), 7);
  EXPECT_FALSE(database_->row<int64_t>("select number from words where word = 'missing'"));
}

TEST_F(DatabaseTest, a_parameter_stands_anywhere_and_in_several_places) {
  insert("a", 1);
  EXPECT_EQ(std::get<0>(*database_->row<int64_t>(
                "select number from words where number = $2 and ($1 = 'x' or word = $1) and number < $2 + 1",
                {"a", int64_t{1}})),
            1);
  EXPECT_TRUE(database_->row<int64_t>("select 1 from words where word <> '$1' and word = $1", {"a"}));
}

TEST_F(DatabaseTest, texts_compare_by_bytes) {
  for (const char* word : {"b", "A", "é", "a", "B", "a-b", "ab"}) insert(word, 0);
  std::vector<std::string> words;
  for (auto& [word] : database_->rows<std::string>("select word from words order by word"))
    words.push_back(word);
  EXPECT_THAT(words, ElementsAre("A", "B", "a", "a-b", "ab", "b", "é"));
  EXPECT_EQ(database_
                ->rows<std::string>("select word from words where word > $1 order by word limit $2",
                                    {"a", int64_t{2}})
                .size(),
            2u);
}

TEST_F(DatabaseTest, what_throws_leaves_nothing_and_what_is_refused_by_its_caller_says_so) {
  EXPECT_THROW(database_->write([](Session& session) {
    session.run("insert into words (word) values ('lost')");
    fail(ErrorKind::conflict, "no");
  }),
               Error);
  EXPECT_EQ(number_of("lost"), -1);
  try {
    insert(std::string_view("a\0b", 3), 1);
    ADD_FAILURE() << "a text with NUL was recorded";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
  }
  EXPECT_THROW(database_->row<int64_t>("select colour from words"), Error);
  insert("afterwards", 1);
  EXPECT_EQ(number_of("afterwards"), 1);
}

TEST_F(DatabaseTest, a_reading_transaction_sees_one_moment) {
  insert("a", 1);
  const auto other = test_database_.open_empty();
  database_->read([&](Session& session) {
    EXPECT_TRUE(session.row<int64_t>("select number from words where word = 'a'"));
    other->write([](Session& writing) { writing.run("update words set number = 2"); });
    EXPECT_EQ(std::get<0>(*session.row<int64_t>("select number from words where word = 'a'")), 1);
  });
  EXPECT_EQ(number_of("a"), 2);
}

TEST_F(DatabaseTest, of_catalogs_that_write_at_once_none_loses_a_change) {
  insert("count", 0);
  const auto other = test_database_.open_empty();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&, &database = writer % 2 == 0 ? *database_ : *other] {
      for (int i = 0; i < 10; ++i)
        database.write([](Session& session) {
          const auto found = session.row<int64_t>("select number from words where word = 'count'");
          session.run("update words set number = $1 where word = 'count'", {std::get<0>(*found) + 1});
        });
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(number_of("count"), 40);
}

TEST_F(DatabaseTest, of_two_that_insert_the_same_one_wins_and_the_other_sees_it) {
  const auto other = test_database_.open_empty();
  for (int word = 0; word < 10; ++word) {
    std::atomic<int> winners = 0;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 2; ++writer)
      writers.emplace_back([&, writer, &database = writer == 0 ? *database_ : *other] {
        winners += database.write([&](Session& session) {
          const std::string name = std::to_string(word);
          if (session.row<int64_t>("select 1 from words where word = $1", {name})) return 0;
          session.run("insert into words (word, number) values ($1, $2)", {name, int64_t{writer}});
          return 1;
        });
      });
    for (auto& writer : writers) writer.join();
    EXPECT_EQ(winners, 1);
  }
}

}  // namespace
}  // namespace flox::server
