// Where the files of the catalog's binary cache are: a directory, or a bucket of S3.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/os/directory.h"

namespace flox::server {

using Clock = std::chrono::system_clock;

struct ObjectStatus {
  uint64_t size = 0;             // bytes
  Clock::time_point modified{};  // only lists say it
};

// A small object, with what tells this content of it from another one ("" is none).
struct SmallObject {
  std::string text;
  std::string version;
};

// How a client gets an object: from `file`, if there is one; at `url`, if there is one, for an hour; or from
// `stream`.
struct ServedObject {
  std::optional<std::filesystem::path> file;
  std::string url;
  std::function<void(const ByteSink&)> stream;
  uint64_t size = 0;
};

// A file that was received, in the store's spool: without a name there, so that nothing is left of it
// whatever happens, where the file system has such files.
struct SpooledFile {
  std::string name;  // in spool(); empty: it has none
  int fd = -1;       // open for reading
  uint64_t size = 0;
  Sha256Digest hash{};
};

inline constexpr size_t most_files_listed = 10'000'000;  // in a directory

// Makes the directory and those above it if they are missing. Throws Error.
Directory open_or_make(const std::filesystem::path& path);

// Thread-safe, also against other processes that use the same store. An object appears whole. Names are those
// of a binary cache (nix/cache_layout.h). Errors: unavailable if the store cannot be reached or is full.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  virtual std::string name() const = 0;  // for the log: "s3://bucket/prefix"
  // A local directory for files on their way in, of which what an earlier process left may be removed.
  virtual const Directory& spool() const = 0;
  // Makes the object so, at a start. Throws Error(invalid_input) if the store does not keep to what replace()
  // promises.
  virtual void prepare(const std::string& name, const std::string& text) = 0;

  virtual std::optional<ObjectStatus> status(const std::string& name) const = 0;
  // Nothing if it is missing. Over `most` bytes is Error(invalid_input).
  virtual std::optional<SmallObject> read(const std::string& name, size_t most) const = 0;
  // The same of many at once.
  virtual std::vector<std::optional<ObjectStatus>> statuses(const std::vector<std::string>& names) const;
  virtual std::vector<std::optional<SmallObject>> read_all(const std::vector<std::string>& names,
                                                           size_t most) const;
  // Throws Error(not_found) if it is missing.
  virtual void stream(const std::string& name, const ByteSink& sink) const = 0;
  virtual std::optional<ServedObject> serve(const std::string& name) const = 0;

  // Makes the spooled file the object of that name. What it gives: whether a name that the spooled file had
  // is gone (moved).
  virtual bool put(const std::string& name, const SpooledFile& file) = 0;
  // Writes the text if the object has this version ("": if there is none); false if it has not.
  virtual bool replace(const std::string& name, const std::string& text, const std::string& version) = 0;
  // Missing is fine.
  virtual void remove(const std::string& name) = 0;
  // All objects whose names start so: "nar/", or those of the top.
  using Listed = std::function<void(const std::string& name, const ObjectStatus& status)>;
  virtual void list_nars(const Listed& take) const = 0;
  virtual void list_narinfos(const Listed& take) const = 0;
  // Bytes of all objects, if listing them is cheap.
  virtual std::optional<uint64_t> size() const = 0;
  // Whether catalogs of other machines may use it.
  virtual bool is_shared() const = 0;
  // Throws Error(unavailable) if the store does not answer.
  virtual void check() const = 0;
};

}  // namespace flox::server
