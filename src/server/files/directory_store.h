// The binary cache's files in a directory of this machine, which several catalogs of this machine may share.
#pragma once

#include <mutex>
#include <utility>

#include "server/files/object_store.h"

namespace flox::server {

class DirectoryStore : public ObjectStore {
 public:
  static constexpr const char* serving_spool = "uploads";
  // Makes the directory if it is missing. `spool` is its directory for files on their way in; what is not a
  // catalog that serves has one of its own, which only one process at a time may have. Throws Error; conflict
  // if another one has it.
  explicit DirectoryStore(std::filesystem::path path, const std::string& spool = serving_spool);

  std::string name() const override { return path_.string(); }
  const Directory& spool() const override { return uploads_; }
  void prepare(const std::string& name, const std::string& text) override;
  std::optional<ObjectStatus> status(const std::string& name) const override;
  std::optional<SmallObject> read(const std::string& name, size_t most) const override;
  void stream(const std::string& name, const ByteSink& sink) const override;
  std::optional<ServedObject> serve(const std::string& name) const override;
  bool put(const std::string& name, const SpooledFile& file) override;
  bool replace(const std::string& name, const std::string& text, const std::string& version) override;
  void remove(const std::string& name) override;
  void list_nars(const Listed& take) const override;
  void list_narinfos(const Listed& take) const override;
  std::optional<uint64_t> size() const override;
  bool is_shared() const override { return false; }
  void check() const override;

 private:
  void keep(int fd, const std::string& spooled, const std::string& name);
  void keep_new(int fd, const std::string& name);
  // Where an object of that name is, and as what.
  std::pair<const Directory*, std::string> place_of(const std::string& name) const;

  std::filesystem::path path_;
  Directory directory_, nars_, uploads_;
  std::mutex mutex_;  // of the threads that replace
};

}  // namespace flox::server
