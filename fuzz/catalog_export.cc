// What an exported catalog consists of: its index, and the rows of its tables, up to what an import would
// write.
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "server/transfer/export_format.h"
#include "server/transfer/json_lines.h"
#include "server/transfer/row_checks.h"

namespace flox::fuzz::of_catalog_export {
namespace {

using namespace server;

void read_index(std::string_view input) {
  ExportIndex index;
  if (!accepts([&] { index = ExportIndex::parse(input); })) return;
  require(index.tables.size() == carried_tables().size() + 1, "every table is there, and no other");
  require(ExportIndex::parse(index.to_string()).tables == index.tables, "an index is written as it was read");
}

void read_rows(const Table& table, std::string_view input) {
  const Fd file(::memfd_create("records", MFD_CLOEXEC));
  write_all(file.get(), input);
  ::lseek(file.get(), 0, SEEK_SET);
  JsonLinesReader lines(Fd(::dup(file.get())), "input");
  static const RegisteredKeys keys;
  RowChecks checks(keys, [](const nix::StorePath&) { return true; });
  accepts(
      [&] {
        for (nlohmann::json object; lines.next(object);) {
          const TableRow row = row_of_json(table, object);
          require(row_of_json(table, json_of_row(table, row)) == row, "a row is written as it was read");
          checks.check(table, row);
        }
      },
      {ErrorKind::invalid_input, ErrorKind::untrusted});
}

}  // namespace

// The first byte says what the rest is read as.
void one(std::string_view input) {
  const auto tables = carried_tables();
  const size_t kind = take_byte(input) % (tables.size() + 1);
  if (kind == tables.size()) return read_index(input);
  read_rows(tables[kind], input);
}

}  // namespace flox::fuzz::of_catalog_export
