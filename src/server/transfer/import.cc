#include "server/transfer/import.h"

#include <fcntl.h>

#include <map>
#include <optional>
#include <set>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/printable.h"
#include "nix/cache_layout.h"
#include "nix/narinfo.h"
#include "server/files/looking_again.h"
#include "server/files/nar_content.h"
#include "server/records/cache_readers.h"
#include "server/records/trust_records.h"
#include "server/transfer/copy_paths.h"
#include "server/transfer/export_format.h"
#include "server/transfer/row_checks.h"
#include "store/cache/file_cache.h"
#include "trust/metadata.h"

namespace flox::server {
namespace {

const std::string& cell_text(const TableRow& row, size_t column) {
  return std::get<std::string>(row[column]);
}

// A row that a catalog replaces by itself: it signs timestamps all the time.
bool is_timestamp(const Table& table, const TableRow& row) {
  return table.name == "metadata" && cell_text(row, 1) == "timestamp";
}

// What others may add or take while the catalog serves.
bool may_differ(const Table& table) {
  return table.name == "cache_readers" || table.name == "attestations" || table.name == "metadata" ||
         table.name == "start_profiles";
}

class Importer {
 public:
  Importer(const fs::path& path, const std::string& sha256, const ImportInto& into)
      : path_(path), directory_(path), into_(into) {
    const std::string text = directory_.read_file(export_name, largest_export_json);
    if (!sha256.empty() && to_hex(bytes_of(flox::sha256(text))) != sha256)
      throw Error(ErrorKind::untrusted, fmt::format("the SHA-256 of {} is not {}", export_name, sha256),
                  "Pass the hash that the export told, or take another copy of it.");
    index_ = ExportIndex::parse(text);
  }

  ImportResult run() {
    verify_files();
    verify_rows();
    require_nothing_else();
    restrict_readers();
    const nix::StorePathSet paths = exported_paths();
    LookedFor looked;
    for (const auto& path : paths) looked.digests.emplace_back(path.digest());
    looking_again(
        into_.cache,
        [&](int64_t times) {
          looked.times = times;
          result_.paths_copied += copy_files(paths).copied;
          into_.database.write([&](Session& session) { add_rows(session, looked); });
        },
        [&] { return paths; });
    for (const auto& [name, table] : index_.tables)
      if (name != files_table().name) result_.rows += table.rows;
    return std::move(result_);
  }

 private:
  struct Listed {
    std::string sha256;
    uint64_t size = 0;
  };

  void verify_files() {
    read_exported(directory_, index_, files_table(), [&](const TableRow& row) {
      const std::string& name = cell_text(row, 0);
      if (!nix::hash_of_file_name(name) && !nix::digest_of_narinfo_name(name))
        fail(ErrorKind::invalid_input, "'{}' is no file of a binary cache", printable(name, 100));
      if (std::get<int64_t>(row[2]) < 0) fail(ErrorKind::invalid_input, "a size is negative");
      const Listed listed{.sha256 = cell_text(row, 1),
                          .size = static_cast<uint64_t>(std::get<int64_t>(row[2]))};
      if (!files_.emplace(name, listed).second) fail(ErrorKind::invalid_input, "{} is listed twice", name);
    });
    result_.files = files_.size();
    for (const auto& [name, listed] : files_)
      if (nix::digest_of_narinfo_name(name)) in_context(name, [&] { read_narinfo(name, listed); });
    for (const auto& [path, narinfo] : narinfos_)
      in_context(nix::narinfo_name(path), [&] { verify_path(narinfo); });
    for (const auto& [name, listed] : files_)
      if (nix::hash_of_file_name(name) && !nars_.contains(name) && !indexes_.contains(name))
        fail(ErrorKind::invalid_input, "no narinfo names {}", name);
  }

  void read_narinfo(const std::string& name, const Listed& listed) {
    const std::string text =
        directory_.read_file(fmt::format("{}/{}", export_cache, name), nix::max_narinfo_size);
    if (to_hex(bytes_of(sha256(text))) != listed.sha256)
      fail(ErrorKind::untrusted, "its hash is not the one that the export lists");
    nix::NarInfo narinfo = nix::NarInfo::parse(text);
    if (nix::narinfo_name(narinfo.info.path) != name)
      fail(ErrorKind::invalid_input, "it describes {}", narinfo.info.path.to_string());
    if (!into_.keys.empty() && into_.keys.valid_signatures(narinfo.info).empty())
      throw Error(ErrorKind::untrusted,
                  fmt::format("it bears no valid signature of a registered key ({})", into_.keys.names()),
                  "Pass all keys of the catalog that was exported: --trusted-key.");
    const nix::StorePath path = narinfo.info.path;
    narinfos_.emplace(path, std::move(narinfo));
  }

  void verify_path(const nix::NarInfo& narinfo) {
    for (const auto& reference : narinfo.info.references)
      if (!narinfos_.contains(reference))
        fail(ErrorKind::invalid_input, "its reference {} is not in the export", reference.to_string());
    const auto name = nix::NarFileName::parse(narinfo.url);
    const auto listed = files_.find(narinfo.url);
    if (!name || listed == files_.end() || name->compression != narinfo.compression ||
        narinfo.file_hash != name->file_hash || listed->second.sha256 != to_hex(bytes_of(name->file_hash)) ||
        narinfo.file_size != listed->second.size)
      fail(ErrorKind::invalid_input, "its NAR is not listed, or otherwise");
    if (narinfo.index_hash) verify_index(*narinfo.index_hash);
    if (const auto known = nars_.find(narinfo.url); known != nars_.end())
      return require_content(narinfo, known->second);
    std::optional<Sha256> hash;
    uint64_t size = 0;
    const auto content =
        unpack_nar(narinfo.url, narinfo.compression, narinfo.info.nar_size, [&](const ByteSink& sink) {
          hash.emplace();
          size = 0;
          read_nar(narinfo.url, listed->second.size, [&](std::string_view piece) {
            hash->update(piece);
            size += piece.size();
            sink(piece);
          });
        });
    if (!hash || size != listed->second.size || hash->finish() != name->file_hash)
      fail(ErrorKind::untrusted, "{} is damaged: its hash is not what its name says", narinfo.url);
    nars_.emplace(narinfo.url, content);
    require_content(narinfo, content);
  }

  // What is in it, the catalog's cache sees when it is copied.
  void verify_index(const Sha256Digest& named) {
    const std::string name = nix::index_file_name(named);
    const auto listed = files_.find(name);
    if (listed == files_.end() || listed->second.sha256 != to_hex(bytes_of(named)) ||
        listed->second.size > nix::max_index_size)
      fail(ErrorKind::invalid_input, "its index is not listed, or otherwise");
    Sha256 hash;
    read_nar(name, listed->second.size, [&](std::string_view piece) { hash.update(piece); });
    if (hash.finish() != named)
      fail(ErrorKind::untrusted, "{} is damaged: its hash is not what its name says", name);
    indexes_.insert(name);
  }

  static void require_content(const nix::NarInfo& narinfo, const NarContent& content) {
    if (content.hash != narinfo.info.nar_hash || content.size != narinfo.info.nar_size)
      fail(ErrorKind::untrusted, "its NarHash or NarSize is not that of what {} unpacks to", narinfo.url);
  }

  void read_nar(const std::string& name, uint64_t most, const ByteSink& sink) const {
    const std::string file = fmt::format("{}/{}", export_cache, name);
    const auto status = directory_.status(file);
    if (!status || !S_ISREG(status->st_mode) || static_cast<uint64_t>(status->st_size) != most)
      fail(ErrorKind::untrusted, "{} is missing, or has not the size that the export lists", name);
    const Fd fd = directory_.open(file, O_RDONLY | O_NONBLOCK);
    std::string buffer(128 * 1024, '\0');
    while (const size_t count = read_some(fd.get(), buffer.data(), buffer.size()))
      sink(std::string_view(buffer).substr(0, count));
  }

  void verify_rows() {
    RowChecks checks(into_.keys, [&](const nix::StorePath& path) { return narinfos_.contains(path); });
    for (const Table& table : carried_tables())
      read_exported(directory_, index_, table, [&](const TableRow& row) {
        checks.check(table, row);
        if (is_timestamp(table, row)) note_timestamp(row);
      });
  }

  void note_timestamp(const TableRow& row) {
    const auto file = trust::Signed<trust::Timestamp>::parse(cell_text(row, 3), "timestamp.json");
    if (!file.signatures.empty())
      result_.timestamp_keys.push_back(
          fmt::format("{} {}", cell_text(row, 0), file.signatures.front().keyid));
  }

  // Before anything is written. Whoever publishes meanwhile is seen by add_rows().
  void require_nothing_else() const {
    into_.database.read([&](Session& session) { require_no_more_rows(session); });
  }

  void require_no_more_rows(Session& session) const {
    for (const Table& table : carried_tables()) {
      if (may_differ(table)) continue;
      const uint64_t rows = static_cast<uint64_t>(count_rows(session, table));
      if (rows <= index_.tables.find(table.name)->second.rows) continue;
      throw Error(ErrorKind::conflict,
                  fmt::format("the catalog has {} rows in '{}', and the export {}", rows, table.name,
                              index_.tables.find(table.name)->second.rows),
                  "Import into an empty catalog: what others have published there is not merged.");
    }
  }

  // What is private is so before its files appear.
  void restrict_readers() const {
    CacheReaders readers(into_.database);
    read_exported(directory_, index_, *find_table("cache_readers"),
                  [&](const TableRow& row) { readers.restrict_to(cell_text(row, 0), cell_text(row, 1)); });
  }

  nix::StorePathSet exported_paths() const {
    nix::StorePathSet paths;
    for (const auto& [path, narinfo] : narinfos_) paths.insert(path);
    return paths;
  }

  CopiedPaths copy_files(const nix::StorePathSet& paths) const {
    const std::string cache = (fs::absolute(path_) / export_cache).string();
    store::FileCache from({.text = cache, .scheme = "file", .rest = cache});
    return copy_paths(from, into_.cache, paths, {.merge_signatures = true});
  }

  void add_rows(Session& session, const LookedFor& looked) {
    result_.rows_added = 0;
    for (const Table& table : carried_tables())
      read_exported(directory_, index_, table, [&](const TableRow& row) {
        if (is_timestamp(table, row) &&
            has_newer_timestamp(session, cell_text(row, 0), std::get<int64_t>(row[2])))
          return;
        const auto present = add_row(session, table, row);
        if (!present) {
          ++result_.rows_added;
        } else if (!says_the_same(table, *present, row)) {
          throw Error(ErrorKind::conflict,
                      fmt::format("the catalog has another row in '{}' with the same key", table.name),
                      "Import into an empty catalog: what others have published there is not merged.");
        }
      });
    require_no_more_rows(session);
    if (result_.rows_added > 0) complete_tables(session, looked);
  }

  fs::path path_;
  Directory directory_;
  const ImportInto& into_;
  ExportIndex index_;
  std::map<std::string, Listed> files_;
  std::map<nix::StorePath, nix::NarInfo> narinfos_;
  std::map<std::string, NarContent> nars_;  // what was unpacked
  std::set<std::string> indexes_;           // that narinfos name
  ImportResult result_;
};

}  // namespace

ImportResult import_catalog(const std::filesystem::path& directory, const std::string& sha256,
                            const ImportInto& into) {
  return in_context(fmt::format("importing {}", directory.string()), [&] {
    std::optional<Importer> importer;
    try {
      importer.emplace(directory, sha256, into);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::invalid_input) throw;
      throw error.with_advice("Name a directory that 'flox-catalog export' has written.");
    }
    return importer->run();
  });
}

}  // namespace flox::server
