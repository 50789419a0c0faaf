#include "server/records/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/os/file.h"
#include "server/records/name_files.h"
#include "server/records/records.h"
#include "server/records/schema.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

class TablesTest : public RecordsTest {};

TEST_F(TablesTest, of_the_schema_are_carried_whole_or_left_out_on_purpose) {
  // Of this catalog alone, or computed from the others (tables.h).
  std::set<std::string> known = {
      "tokens",   "nars",         "descriptions", "packages",          "removal_marks",
      "settings", "name_changes", "node_reports", "node_environments", "packages_in_order"};
  for (const Table& table : carried_tables()) known.insert(std::string(table.name));
  std::set<std::string> all;
  const std::regex statement("create table (?:if not exists )?([a-z_]+) \\(([^;]*)\\)(?: without rowid)?;");
  for (const Migration& migration : catalog_schema()) {
    const std::string sql(migration.sql);
    for (std::sregex_iterator found(sql.begin(), sql.end(), statement), end; found != end; ++found) {
      all.insert((*found)[1]);
      const Table* table = find_table((*found)[1].str());
      if (table == nullptr) continue;
      const std::string columns = (*found)[2];
      const std::regex column("([a-z0-9_]+) (?:text|bigint)");
      EXPECT_EQ(
          std::distance(std::sregex_iterator(columns.begin(), columns.end(), column), std::sregex_iterator()),
          static_cast<ptrdiff_t>(table->columns.size()))
          << table->name;
    }
  }
  EXPECT_EQ(all, known);
}

TEST_F(TablesTest, are_read_in_pages_in_the_order_of_their_keys_and_written_elsewhere) {
  for (int i = 0; i < 250; ++i) records_.add(build("web", "1." + std::to_string(i)));
  std::vector<TableRow> rows;
  const Table& builds = *find_table("builds");
  database_->read([&](Session& session) {
    read_table(session, builds, [&](const TableRow& row) { rows.push_back(row); });
  });
  ASSERT_EQ(rows.size(), 250U);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));

  const TempDir elsewhere;
  const TestDatabase other_database(elsewhere.path());
  const auto other = other_database.open();
  const auto add_all = [&] {
    return other->write([&](Session& session) {
      size_t added = 0;
      for (const TableRow& row : rows) added += add_row(session, builds, row) ? 0 : 1;
      complete_tables(session);
      return added;
    });
  };
  const Records records(*other);
  EXPECT_TRUE(records.names()->empty());
  EXPECT_EQ(add_all(), 250U);
  EXPECT_EQ(add_all(), 0U);
  EXPECT_THAT(*records.names(), testing::ElementsAre("web"));
  EXPECT_EQ(search(records, "about web").size(), 1U);
  // What is there under the same key is given back.
  TableRow changed = rows.front();
  changed.back() = std::string("{}");
  EXPECT_EQ(other->write([&](Session& session) { return add_row(session, builds, changed); }), rows.front());
}

}  // namespace
}  // namespace flox::server
