// Buckets, queues and tables in a directory of this machine, for one process or several:
//
//   DIR/buckets/BUCKET/FILE    objects (local_objects.h says how keys become names)
//   DIR/tickets.sqlite         queues with their messages, tables with their items (database.cc)
//
// The directory must be on a file system of this machine with hard links and locks: no NFS.
#pragma once

#include <filesystem>

#include "ticket/backend/backend.h"
#include "ticket/local/database.h"

namespace ticket::local {

class LocalBackend : public Backend {
 public:
  // Makes the directory if it is missing. Throws flox::Error naming it if that cannot be.
  explicit LocalBackend(const std::filesystem::path& directory);

  std::string description() const override { return "local:" + directory_.string(); }
  std::unique_ptr<Queue> queue(const std::string& name, CancelCheck cancelled) override;
  std::unique_ptr<ObjectStore> store(CancelCheck cancelled) override;
  std::unique_ptr<Table> table(const std::string& name, CancelCheck cancelled) override;
  void create(const Resources& wanted, CancelCheck cancelled) override;
  // Whoever puts raw tickets sends the messages, too.
  bool can_announce() const override { return false; }

 private:
  std::filesystem::path directory_;
  std::shared_ptr<Database> database_;
};

}  // namespace ticket::local
