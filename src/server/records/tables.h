// Whole tables of the catalog's database, row by row: what an export carries from one catalog to another.
//
// Not among them: tokens (a token is of the catalog that gave it out), nodes' reports, which are brought with
// them, what is known of NAR files (each catalog finds that out), and what is computed from the rest, which
// complete_tables() computes anew.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/database/database.h"
#include "server/records/removal_marks.h"

namespace flox::server {

struct TableColumn {
  std::string_view name;
  bool is_number = false;
};

struct Table {
  std::string_view name;
  std::vector<TableColumn> columns;
  size_t keys = 0;           // so many columns, the first, are the primary key
  bool is_optional = false;  // exports of earlier releases have no such table
};

// A row's values, in the order of the table's columns.
using Cell = std::variant<int64_t, std::string>;
using TableRow = std::vector<Cell>;

// In the order in which they are written: owners before what they own.
std::span<const Table> carried_tables();
// Null for another name.
const Table* find_table(std::string_view name) noexcept;

// Gives each row in the order of the primary key. `take` must not use the session.
void read_table(Session& session, const Table& table, const std::function<void(const TableRow&)>& take);
int64_t count_rows(Session& session, const Table& table);
// Adds the row, or gives the one that is there with the same key.
std::optional<TableRow> add_row(Session& session, const Table& table, const TableRow& row);
// Computes what other tables say of those that add_row() has written, in the same transaction: whoever
// remembers names, or what is signed, sees that they have changed. `looked` is for all that the rows need;
// throws LookAgain.
void complete_tables(Session& session, const LookedFor& looked = {});

}  // namespace flox::server
