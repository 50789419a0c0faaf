// Who may read a file of the binary cache: everyone, unless it is only in private things.
//
// A narinfo or NAR may have readers: the owners that uploaded it, or that published something private with it
// in its closure; a person who uploaded it before publishing is "@USER". What has no readers is everyone's.
// What was everyone's once stays so.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/database/database.h"

namespace flox::server {

// Thread-safe.
class CacheReaders {
 public:
  // The database (records/database.h) must outlive it.
  explicit CacheReaders(Database& database) : database_(database) {}

  // Of the files, those that neither everyone may read nor one of the readers.
  std::set<std::string> unreadable(const std::vector<std::string>& names,
                                   const std::set<std::string>& readers) const;
  // Adds a reader to files that have some already.
  void add(const std::vector<std::string>& names, const std::string& reader);
  // Everyone, as a reader.
  static constexpr const char* everyone = "";
  // Adds a reader to the files, in the transaction of what is published with them. Nothing is added, and the
  // name is given, if there is one that neither everyone nor one of `own` may read.
  static std::optional<std::string> share(Session& session, const std::vector<std::string>& names,
                                          const std::set<std::string>& own, const std::string& reader);
  // The first reader of a file that is not in the cache yet, or one more. Throws LookAgain
  // (records/removal_marks.h) while it is being removed.
  void restrict_to(const std::string& name, const std::string& reader);
  // Lets everyone read the files, all or none.
  void make_public(const std::vector<std::string>& names);

 private:
  Database& database_;
};

}  // namespace flox::server
