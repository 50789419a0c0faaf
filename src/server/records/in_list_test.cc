#include "server/records/in_list.h"

#include <gtest/gtest.h>

#include <map>

#include "base/os/file.h"
#include "server/records/cache_readers.h"
#include "server/testing/database.h"

namespace flox::server {
namespace {

class InListTest : public testing::Test {
 protected:
  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
};

TEST_F(InListTest, each_text_is_asked_for_once_however_many_there_are) {
  std::vector<std::string> names;
  database_->write([&](Session& session) {
    for (int i = 0; i < 700; ++i) {
      names.push_back("setting" + std::to_string(i));
      session.run("insert into settings (name, value) values ($1, 'x')", {names.back()});
    }
  });
  for (const size_t count : {0, 1, 2, 3, 255, 256, 257, 700}) {
    const std::vector<std::string> some(names.begin(), names.begin() + static_cast<ptrdiff_t>(count));
    std::map<std::string, int> seen;
    database_->read([&](Session& session) {
      each_in(session, "select name from settings where name", some,
              [&](const Row& row) { ++seen[row.get<std::string>(0)]; });
    });
    EXPECT_EQ(seen.size(), count);
    for (const auto& name : some) EXPECT_EQ(seen[name], 1) << name;
  }
}

TEST_F(InListTest, of_many_files_those_are_unreadable_that_are_private_to_others) {
  CacheReaders readers(*database_);
  std::vector<std::string> names;
  for (int i = 0; i < 400; ++i) names.push_back(std::to_string(i) + ".narinfo");
  readers.restrict_to(names[7], "acme");
  readers.restrict_to(names[300], "beta");
  readers.restrict_to(names[301], "acme");
  readers.add({names[300], names[301], names[302]}, "gamma");  // 302 is everyone's and stays so
  readers.make_public({names[301]});
  using Names = std::set<std::string>;
  EXPECT_EQ(readers.unreadable(names, {}), (Names{names[7], names[300]}));
  EXPECT_EQ(readers.unreadable(names, {"acme"}), (Names{names[300]}));
  EXPECT_EQ(readers.unreadable(names, {"acme", "gamma"}), Names());
}

}  // namespace
}  // namespace flox::server
