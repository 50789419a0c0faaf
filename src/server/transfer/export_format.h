// A catalog as a directory (docs/formats/catalog-export.md):
//
//   export.json                     which files there are: of each its rows, size and SHA-256
//   records/TABLE.SHA256.jsonl      one row a line; `files` lists the files of cache/
//   cache/                          a binary cache: nix-cache-info, DIGEST.narinfo, nar/HASH.nar.zst
//
// Nothing in it names a path: names are made of what this program knows and of hashes.
#pragma once  // Fuzzed by fuzz/catalog_export.cc.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/data/sha256.h"
#include "base/os/directory.h"
#include "server/records/tables.h"

namespace flox::server {

inline constexpr const char* export_name = "export.json";
inline constexpr const char* records_directory = "records";
inline constexpr const char* export_cache = "cache";
inline constexpr size_t largest_export_json = 64 << 10;  // bytes

struct ExportedTable {
  uint64_t rows = 0;
  uint64_t size = 0;   // bytes
  std::string sha256;  // hexadecimal
  bool operator==(const ExportedTable&) const = default;
};

struct ExportIndex {
  std::map<std::string, ExportedTable, std::less<>> tables;  // all carried_tables(), and files_table()

  // One text for one content.
  std::string to_string() const;
  // Throws Error(invalid_input) for what is no index of an export, lacks a table, or has one that this
  // release does not know.
  static ExportIndex parse(std::string_view text);
};

// What cache/ has: name ("DIGEST.narinfo", "nar/HASH.nar.zst"), sha256 in hexadecimal, size.
const Table& files_table();
// "records/builds.0123….jsonl"
std::string records_file(std::string_view table, const std::string& sha256);

nlohmann::json json_of_row(const Table& table, const TableRow& row);
// Throws Error(invalid_input) unless the object has just the table's columns, each of its type.
TableRow row_of_json(const Table& table, const nlohmann::json& object);

// Reads a table's file from its first line to its last and gives each row; what `take` throws gets the place
// ("records/…:3") as context. Throws Error(untrusted) at the end if the file is not the one that the index
// names. No link is followed.
void read_exported(const Directory& directory, const ExportIndex& index, const Table& table,
                   const std::function<void(const TableRow&)>& take);

}  // namespace flox::server
