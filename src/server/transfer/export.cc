#include "server/transfer/export.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "catalog/model.h"
#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "nix/narinfo.h"
#include "server/records/removal_marks.h"
#include "server/transfer/export_format.h"
#include "server/transfer/json_lines.h"

namespace flox::server {
namespace {

constexpr size_t narinfos_read_at_once = 500;
constexpr int most_passes = 10;  // while garbage is collected
constexpr std::string_view readers_table = "cache_readers";
constexpr const char* unfinished = ".new";  // what a file is called until it is whole

struct ExportedFile {
  std::string sha256;
  uint64_t size = 0;
};

struct ExportedNarInfo {
  std::vector<std::string> references;  // names of their narinfos
  std::string nar;
  std::string index;    // empty: none
  bool is_new = false;  // not as an earlier export has it
};

Directory open_export(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail_errno(errno, "making {}", path.string());
  Directory directory(path);
  if (::flock(directory.fd(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::conflict, fmt::format("another export writes {}", path.string()),
                "Wait until it has ended.");
  const std::set<std::string> ours = {export_name, records_directory, export_cache};
  for (const std::string& name : directory.names())
    if (!ours.contains(name))
      throw Error(ErrorKind::conflict,
                  fmt::format("{} has a '{}', which is no part of an export", path.string(), name),
                  "Export into a directory of its own.");
  return directory;
}

class Exporter {
 public:
  Exporter(Database& database, const ObjectStore& files, const fs::path& path)
      : database_(database),
        store_(files),
        directory_(open_export(path)),
        records_(directory_.make_directory(records_directory, 0700)),
        cache_(directory_.make_directory(export_cache, 0700)),
        nars_(cache_.make_directory(nix::nar_directory.substr(0, nix::nar_directory.size() - 1), 0700)) {}

  ExportResult run() {
    for (int attempt = 1;; ++attempt) {
      const int64_t removals = export_records();
      std::exception_ptr failure;
      try {
        export_files();
      } catch (const Error&) {
        failure = std::current_exception();
      }
      // Who may read a file is recorded before it appears, and forgotten when it goes: of what stayed, what
      // is read before the files and after them knows all.
      const bool has_collected = read_readers() != removals;
      if (!has_collected) {
        if (failure) std::rethrow_exception(failure);
        require_needed();
        break;
      }
      if (attempt == most_passes)
        throw Error(ErrorKind::unavailable, "garbage is collected all the time",
                    "Export again when 'flox catalog gc' has ended. An earlier export is as it was.");
    }
    write_records(*find_table(readers_table), [&](JsonLinesWriter& lines) {
      for (const auto& row : readers_) lines.write(json_of_row(*find_table(readers_table), row));
    });
    write_files_table();
    put_narinfos();
    write_index();
    remove_others();
    return result_;
  }

 private:
  // Of one moment; and how often a path had been removed from the cache by then.
  int64_t export_records() {
    return database_.read([&](Session& session) {
      index_ = {};
      readers_.clear();
      needed_.clear();
      for (const Table& table : carried_tables()) {
        if (table.name == readers_table)
          read_table(session, table, [&](const TableRow& row) { readers_.insert(row); });
        else
          export_table(session, table);
      }
      return RemovalMarks::removals(session);
    });
  }

  int64_t read_readers() {
    return database_.read([&](Session& session) {
      read_table(session, *find_table(readers_table), [&](const TableRow& row) { readers_.insert(row); });
      return RemovalMarks::removals(session);
    });
  }

  // What a build is must be there; what a generation needs may come from another cache.
  void require_needed() const {
    for (const auto& [path, build] : needed_)
      if (!exported_.contains(nix::narinfo_name(path)))
        throw Error(ErrorKind::not_found,
                    fmt::format("{} needs {}, and it, or something that it refers to, is missing in the "
                                "catalog's cache, or damaged",
                                build, path.to_string()),
                    "Publish it again, or remove the build. An earlier export is as it was.");
  }

  template <typename Fill>
  void write_records(const Table& table, Fill&& fill) {
    const std::string temporary = std::string(table.name) + unfinished;
    records_.remove(temporary);
    JsonLinesWriter lines(records_.open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
    in_context(fmt::format("exporting {}", table.name), [&] { fill(lines); });
    ExportedTable written{.sha256 = to_hex(bytes_of(lines.finish()))};
    written.rows = lines.count();
    written.size = lines.size();
    const std::string name = records_file(table.name, written.sha256);
    records_.rename(temporary, directory_, name);
    index_.tables[std::string(table.name)] = std::move(written);
  }

  void export_table(Session& session, const Table& table) {
    write_records(table, [&](JsonLinesWriter& lines) {
      read_table(session, table, [&](const TableRow& row) {
        if (table.name == "builds") {
          constexpr size_t record = 4;  // the column
          const auto build = catalog::PackageBuild::from_json(
              parse_json(std::get<std::string>(row[record]), "a record of the catalog"));
          for (const auto& [output, path] : build.outputs)
            needed_.emplace(path, fmt::format("{} {}", build.name, build.version));
        }
        lines.write(json_of_row(table, row));
      });
    });
  }

  void export_files() {
    exported_.clear();
    narinfos_.clear();
    cache_.write_file(nix::cache_info_name,
                      nix::CacheInfo{.want_mass_query = true, .priority = 30}.to_string());
    std::vector<std::string> names;
    store_.list_narinfos([&](const std::string& name, const ObjectStatus&) { names.push_back(name); });
    std::ranges::sort(names);
    for (size_t first = 0; first < names.size(); first += narinfos_read_at_once) {
      const size_t end = std::min(first + narinfos_read_at_once, names.size());
      const std::vector<std::string> some(names.begin() + static_cast<ptrdiff_t>(first),
                                          names.begin() + static_cast<ptrdiff_t>(end));
      const auto objects = store_.read_all(some, nix::max_narinfo_size);
      for (size_t i = 0; i < some.size(); ++i)
        if (objects[i]) export_path(some[i], objects[i]->text);
    }
    leave_out_incomplete();
  }

  // What refers to something that is missing is no use either.
  void leave_out_incomplete() {
    std::map<std::string, std::vector<std::string>> referrers;  // of what is missing, too
    std::vector<std::string> missing;
    for (const auto& [name, narinfo] : narinfos_)
      for (const auto& reference : narinfo.references) {
        if (!narinfos_.contains(reference)) missing.push_back(reference);
        referrers[reference].push_back(name);
      }
    while (!missing.empty()) {
      const std::string reference = std::move(missing.back());
      missing.pop_back();
      for (const auto& name : referrers[reference]) {
        if (narinfos_.erase(name) == 0) continue;
        log::warning("{} is left out: it refers to {}, which is missing", name, reference);
        exported_.erase(name);
        missing.push_back(name);
      }
    }
    std::set<std::string> nars;
    for (const auto& [name, narinfo] : narinfos_) {
      nars.insert(narinfo.nar);
      nars.insert(narinfo.index);
    }
    std::erase_if(exported_, [&](const auto& file) {
      return !narinfos_.contains(file.first) && !nars.contains(file.first);
    });
  }

  void write_files_table() {
    write_records(files_table(), [&](JsonLinesWriter& lines) {
      for (const auto& [name, file] : exported_)
        lines.write({{"name", name}, {"sha256", file.sha256}, {"size", file.size}});
    });
  }

  // A narinfo that is damaged, or whose NAR is missing, is no use to anyone, here as in the catalog.
  void export_path(const std::string& name, std::string text) {
    ExportedNarInfo narinfo;
    try {
      nix::NarInfo parsed = nix::NarInfo::parse(text);
      narinfo.nar = parsed.url;
      if (parsed.index_hash) {
        narinfo.index = export_index(*parsed.index_hash);
        if (narinfo.index.empty()) {
          log::warning("{} is exported without its index, which is missing", name);
          parsed.leave_out_index();
          text = parsed.to_string();
        }
      }
      for (const auto& reference : parsed.info.references)
        narinfo.references.push_back(nix::narinfo_name(reference));
    } catch (const Error& error) {
      return log::warning("{} is left out: {}", name, error.what());
    }
    const std::string& nar = narinfo.nar;
    const auto nar_name = nix::NarFileName::parse(nar);
    const auto status = nar_name && !exported_.contains(nar) ? store_.status(nar) : std::nullopt;
    if (!nar_name || (!status && !exported_.contains(nar)))
      return log::warning("{} is left out: its NAR is missing", name);
    if (status) export_file(nar, nar_name->file_hash, status->size);
    // Beside that of an earlier export, which is whole until this one is.
    if (!cache_.status(name) || cache_.read_file(name, nix::max_narinfo_size) != text) {
      cache_.write_file(name + unfinished, text, 0600);
      narinfo.is_new = true;
    }
    narinfos_.emplace(name, std::move(narinfo));
    exported_.emplace(name, ExportedFile{.sha256 = to_hex(bytes_of(sha256(text))), .size = text.size()});
  }

  void put_narinfos() {
    for (const auto& [name, narinfo] : narinfos_)
      if (narinfo.is_new) cache_.rename(name + unfinished, cache_, name);
  }

  // Its name; empty if it is missing.
  std::string export_index(const Sha256Digest& hash) {
    std::string name = nix::index_file_name(hash);
    if (exported_.contains(name)) return name;
    const auto status = store_.status(name);
    if (!status) return {};
    export_file(name, hash, status->size);
    return name;
  }

  // A NAR or an index: what is named after its hash.
  void export_file(const std::string& name, const Sha256Digest& named, uint64_t size) {
    const std::string file = name.substr(nix::nar_directory.size());
    if (!verified_.contains(file) && !is_whole(file, named, size)) {
      const std::string temporary = file + unfinished;
      nars_.remove(temporary);
      const Fd fd = nars_.open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
      Sha256 hash;
      store_.stream(name, [&](std::string_view piece) {
        hash.update(piece);
        write_all(fd.get(), piece);
      });
      if (hash.finish() != named) {
        nars_.remove(temporary);
        throw Error(ErrorKind::untrusted,
                    fmt::format("{} of the catalog is damaged: its hash is not what its name says", name),
                    "Restore the file, or remove it and publish again what needs it.");
      }
      nars_.rename(temporary, nars_, file);
      ++result_.files_copied;
    }
    verified_.insert(file);
    exported_.emplace(name, ExportedFile{.sha256 = to_hex(bytes_of(named)), .size = size});
  }

  // Whether an earlier export has copied it.
  bool is_whole(const std::string& file, const Sha256Digest& named, uint64_t size) const {
    const auto status = nars_.status(file);
    if (!status || !S_ISREG(status->st_mode) || static_cast<uint64_t>(status->st_size) != size) return false;
    const Fd fd = nars_.open(file, O_RDONLY);
    Sha256 hash;
    std::string buffer(128 * 1024, '\0');
    while (const size_t count = read_some(fd.get(), buffer.data(), buffer.size()))
      hash.update(std::string_view(buffer).substr(0, count));
    return hash.finish() == named;
  }

  void write_index() {
    const std::string text = index_.to_string();
    // All that it names, before it.
    if (::syncfs(directory_.fd()) != 0) fail_errno(errno, "writing {} to disk", directory_.name());
    directory_.write_file(export_name, text, 0600);
    if (::fsync(directory_.fd()) != 0) fail_errno(errno, "writing {} to disk", directory_.name());
    result_.sha256 = to_hex(bytes_of(sha256(text)));
    for (const auto& [name, table] : index_.tables)
      if (name != files_table().name) result_.rows += table.rows;
    result_.files = exported_.size();
    for (const auto& [name, file] : exported_) result_.bytes += file.size;
  }

  void remove_others() const {
    std::set<std::string> records;
    for (const auto& [name, table] : index_.tables)
      records.insert(fs::path(records_file(name, table.sha256)).filename());
    for (const std::string& name : records_.names())
      if (!records.contains(name)) records_.remove(name);
    for (const std::string& name : cache_.names(most_files_listed))
      if (name != "nar" && name != nix::cache_info_name && !exported_.contains(name)) cache_.remove(name);
    for (const std::string& name : nars_.names(most_files_listed))
      if (!exported_.contains(std::string(nix::nar_directory) + name)) nars_.remove(name);
  }

  Database& database_;
  const ObjectStore& store_;
  Directory directory_, records_, cache_, nars_;
  ExportIndex index_;
  std::map<std::string, ExportedFile> exported_;     // by name in the cache
  std::map<std::string, ExportedNarInfo> narinfos_;  // by name
  std::set<std::string> verified_;                   // NARs and indexes, in an earlier pass
  std::set<TableRow> readers_;
  std::map<nix::StorePath, std::string> needed_;  // by which build
  ExportResult result_;
};

}  // namespace

ExportResult export_catalog(Database& database, const ObjectStore& files,
                            const std::filesystem::path& directory) {
  return in_context(fmt::format("exporting to {}", directory.string()),
                    [&] { return Exporter(database, files, directory).run(); });
}

}  // namespace flox::server
