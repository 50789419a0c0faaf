#include "server/records/tables.h"

#include <fmt/format.h>

#include "base/data/json.h"
#include "server/records/package_index.h"
#include "server/records/schema.h"

namespace flox::server {
namespace {

constexpr int64_t rows_at_once = 100;  // of up to a megabyte each

std::string column_list(const Table& table, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i) list += (i == 0 ? "" : ", ") + std::string(table.columns[i].name);
  return list;
}

// "$1, $2, $3"
std::string parameter_list(size_t count) {
  std::string list;
  for (size_t i = 1; i <= count; ++i) list += fmt::format("{}${}", i == 1 ? "" : ", ", i);
  return list;
}

// The texts are the row's.
Values values_of(const TableRow& row, size_t count) {
  Values values;
  for (size_t i = 0; i < count; ++i) {
    if (const auto* number = std::get_if<int64_t>(&row[i]))
      values.emplace_back(*number);
    else
      values.emplace_back(std::string_view(std::get<std::string>(row[i])));
  }
  return values;
}

TableRow row_of(const Table& table, const Row& row) {
  TableRow cells;
  cells.reserve(table.columns.size());
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const int column = static_cast<int>(i);
    if (table.columns[i].is_number)
      cells.emplace_back(row.number(column));
    else
      cells.emplace_back(row.get<std::string>(column));
  }
  return cells;
}

}  // namespace

void read_table(Session& session, const Table& table, const std::function<void(const TableRow&)>& take) {
  const std::string columns = column_list(table, table.columns.size());
  const std::string keys = column_list(table, table.keys);
  const std::string first = fmt::format("select {} from {} order by {} limit $1", columns, table.name, keys);
  const std::string next = fmt::format("select {} from {} where ({}) > ({}) order by {} limit ${}", columns,
                                       table.name, keys, parameter_list(table.keys), keys, table.keys + 1);
  TableRow last;
  for (bool is_first = true;; is_first = false) {
    Values values = is_first ? Values() : values_of(last, table.keys);
    values.emplace_back(rows_at_once);
    std::vector<TableRow> rows;
    session.each(is_first ? first : next, values,
                 [&](const Row& row) { rows.push_back(row_of(table, row)); });
    for (const TableRow& row : rows) take(row);
    if (rows.size() < static_cast<size_t>(rows_at_once)) return;
    last = std::move(rows.back());
  }
}

int64_t count_rows(Session& session, const Table& table) {
  return std::get<0>(*session.row<int64_t>(fmt::format("select count(*) from {}", table.name)));
}

std::optional<TableRow> add_row(Session& session, const Table& table, const TableRow& row) {
  const std::string keys = column_list(table, table.keys);
  if (session.run(
          fmt::format("insert into {} ({}) values ({}) on conflict ({}) do nothing", table.name,
                      column_list(table, table.columns.size()), parameter_list(table.columns.size()), keys),
          values_of(row, row.size())) == 1)
    return std::nullopt;
  std::optional<TableRow> present;
  session.each(fmt::format("select {} from {} where ({}) = ({})", column_list(table, table.columns.size()),
                           table.name, keys, parameter_list(table.keys)),
               values_of(row, table.keys), [&](const Row& found) { present = row_of(table, found); });
  if (!present) fail(ErrorKind::internal, "{}: a row is neither new nor there", table.name);
  return present;
}

void complete_tables(Session& session, const LookedFor& looked) {
  RemovalMarks::require_none(session, looked);
  index_all_packages(session);
  note_new_name(session);
  session.run(
      "insert into name_changes (owner, changes) select distinct owner, 1 from name_files where true on "
      "conflict (owner) do update set changes = name_changes.changes + 1");
  session.run(
      "insert into name_changes (owner, changes) values ('', 1) on conflict (owner) do update set "
      "changes = name_changes.changes + 1");
}

}  // namespace flox::server
