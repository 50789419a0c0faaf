#include "server/transfer/export_format.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "server/transfer/json_lines.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr const char* format_name = "flox-catalog-export";
constexpr int64_t format_version = 1;
constexpr JsonLimits index_limits{.bytes = largest_export_json, .depth = 4, .values = 200};

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

uint64_t count_member(const json& object, const char* key) {
  const json& value = member(object, key, export_name);
  if (!value.is_number_unsigned())
    fail(ErrorKind::invalid_input, "{}: '{}' is not a number", export_name, key);
  return value.get<uint64_t>();
}

ExportedTable exported_table_of(const json& object) {
  if (!object.is_object() || object.size() != 3)
    fail(ErrorKind::invalid_input, "{}: a table has 'rows', 'sha256' and 'size'", export_name);
  ExportedTable table{.rows = count_member(object, "rows"),
                      .size = count_member(object, "size"),
                      .sha256 = string_member(object, "sha256", export_name)};
  if (!is_sha256(table.sha256))
    fail(ErrorKind::invalid_input, "{}: a 'sha256' is no SHA-256 in hexadecimal", export_name);
  return table;
}

}  // namespace

std::string ExportIndex::to_string() const {
  json list = json::object();
  for (const auto& [name, table] : tables)
    list[name] = {{"rows", table.rows}, {"sha256", table.sha256}, {"size", table.size}};
  return json{{"format", format_name}, {"version", format_version}, {"tables", std::move(list)}}.dump(1) +
         "\n";
}

ExportIndex ExportIndex::parse(std::string_view text) {
  const json document = parse_json(text, export_name, index_limits);
  if (!document.is_object() || optional_string(document, "format", export_name) != format_name)
    fail(ErrorKind::invalid_input, "{}: it is no index of an exported catalog", export_name);
  if (member(document, "version", export_name) != format_version)
    throw Error(ErrorKind::invalid_input,
                fmt::format("{}: its format is of another version than {}", export_name, format_version),
                "Import it with the release that exported it, or a newer one.");
  const json& list = member(document, "tables", export_name);
  if (document.size() != 3 || !list.is_object())
    fail(ErrorKind::invalid_input, "{}: it has 'format', 'version' and 'tables', an object", export_name);
  ExportIndex index;
  for (const auto& [name, table] : list.items()) {
    if (find_table(name) == nullptr && name != files_table().name)
      fail(ErrorKind::invalid_input, "{}: a table is not known to this release", export_name);
    index.tables.emplace(name, exported_table_of(table));
  }
  for (const Table& table : carried_tables())
    if (!table.is_optional && !index.tables.contains(table.name))
      fail(ErrorKind::invalid_input, "{}: the table '{}' is missing", export_name, table.name);
  if (!index.tables.contains(files_table().name))
    fail(ErrorKind::invalid_input, "{}: the table '{}' is missing", export_name, files_table().name);
  return index;
}

const Table& files_table() {
  static const Table table{.name = "files", .columns = {{"name"}, {"sha256"}, {"size", true}}, .keys = 1};
  return table;
}

std::string records_file(std::string_view table, const std::string& sha256) {
  return fmt::format("{}/{}.{}.jsonl", records_directory, table, sha256);
}

json json_of_row(const Table& table, const TableRow& row) {
  json object = json::object();
  for (size_t i = 0; i < row.size(); ++i)
    std::visit([&](const auto& value) { object[std::string(table.columns[i].name)] = value; }, row[i]);
  return object;
}

TableRow row_of_json(const Table& table, const json& object) {
  if (object.size() != table.columns.size())
    fail(ErrorKind::invalid_input, "a row of '{}' has {} members", table.name, table.columns.size());
  TableRow row;
  for (const TableColumn& column : table.columns) {
    const auto found = object.find(column.name);
    if (found == object.end())
      fail(ErrorKind::invalid_input, "'{}' is missing in a row of '{}'", column.name, table.name);
    if (column.is_number ? !found->is_number_integer() : !found->is_string())
      fail(ErrorKind::invalid_input, "'{}' is no {}", column.name, column.is_number ? "number" : "text");
    if (column.is_number)
      row.emplace_back(found->get<int64_t>());
    else
      row.emplace_back(found->get<std::string>());
  }
  return row;
}

void read_exported(const Directory& directory, const ExportIndex& index, const Table& table,
                   const std::function<void(const TableRow&)>& take) {
  const auto listed = index.tables.find(table.name);
  if (listed == index.tables.end() && table.is_optional) return;
  const ExportedTable& expected = listed->second;
  const std::string name = records_file(table.name, expected.sha256);
  const auto status = directory.status(name);
  if (!status || !S_ISREG(status->st_mode))
    fail(ErrorKind::not_found, "{}/{} is missing, or is no file", directory.name(), name);
  if (static_cast<uint64_t>(status->st_size) != expected.size)
    fail(ErrorKind::untrusted, "{} has {} bytes, and {} says {}", name, status->st_size, export_name,
         expected.size);
  JsonLinesReader lines(directory.open(name, O_RDONLY | O_NONBLOCK), name);
  for (json object; lines.next(object);) {
    if (lines.count() > expected.rows)
      fail(ErrorKind::untrusted, "{} has more rows than {} says", name, export_name);
    in_context(lines.place(), [&] { take(row_of_json(table, object)); });
  }
  if (lines.count() != expected.rows || to_hex(bytes_of(lines.hash())) != expected.sha256)
    throw Error(
        ErrorKind::untrusted,
        fmt::format("{} is not the file that {} names: its hash or its rows are others", name, export_name),
        "Take another copy of the export: this one is damaged or was changed.");
}

}  // namespace flox::server
