// What the catalogs that share a cache tell each other about its NAR files, so that none removes a file that
// another one publishes, and none unpacks again what another one has verified. The files themselves are
// server/files'.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/data/sha256.h"
#include "server/database/database.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// What a NAR file holds once it is decompressed.
struct NarContent {
  Sha256Digest hash{};
  uint64_t size = 0;
};

// Thread-safe. Files are named as in a narinfo's URL.
class NarRecords {
 public:
  using Time = std::chrono::system_clock::time_point;

  // The database (records/database.h) must outlive it.
  explicit NarRecords(Database& database) : database_(database), marks_(database) {}

  // Somebody uploads the file, or publishes it: it is not removed for as long as orphans stay. What it holds,
  // if that is known. Waits while another catalog removes it; throws Error(unavailable) if that takes over
  // five seconds.
  std::optional<NarContent> use(const std::string& file, Time now);
  // The file is there, and holds that.
  void set_content(const std::string& file, uint64_t file_size, const std::optional<NarContent>& content);
  // Bytes of the files that were uploaded.
  uint64_t bytes() const;

  // Those that a narinfo names, as far as that was recorded by set_named().
  std::set<std::string, std::less<>> named() const;
  void set_named(const std::vector<std::string>& files);
  // Whether the file can be removed now: nobody has used it since `before`, and nobody removes it. Until
  // end_removal(), or for ten minutes, nobody uses it.
  bool begin_removal(const std::string& file, Time before, Time now);
  void end_removal(const std::string& file);
  // Removes the file as begin_removal() would allow, although it was recorded as named: no narinfo names it
  // any more. False if it must stay. `remove` may be called again. `is_shared` as RemovalMarks::remove() has
  // it: then nobody uses the file until this is over, or for ten minutes; otherwise nobody but while this
  // goes on, however it ends. Who may read the file is forgotten in the transaction that ends this.
  bool remove_unnamed(const std::string& file, Time before, Time now, bool is_shared,
                      const std::function<void()>& remove);

  RemovalMarks& marks() noexcept { return marks_; }

 private:
  Database& database_;
  RemovalMarks marks_;
};

}  // namespace flox::server
