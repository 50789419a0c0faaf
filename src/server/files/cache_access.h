// Which of the cache's files somebody may use, and who may use those that are uploaded.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace flox::server {

// Thread-safe. Files are known by their names in the cache: "DIGEST.narinfo", "nar/HASH.nar.zst".
class CacheAccess {
 public:
  virtual ~CacheAccess() = default;
  // Of the files, those that may not be read: they are as if they were not there.
  virtual std::set<std::string> unreadable(const std::vector<std::string>& names) const = 0;
  bool may_read(const std::string& name) const { return unreadable({name}).empty(); }
  // The uploader has shown that it has the content of the file, which becomes visible after this if it
  // `is_new`.
  virtual void grant(const std::string& name, bool is_new) const = 0;
};

// Everyone may use everything.
class OpenAccess : public CacheAccess {
 public:
  std::set<std::string> unreadable(const std::vector<std::string>&) const override { return {}; }
  void grant(const std::string&, bool) const override {}
};
inline const OpenAccess open_access;

}  // namespace flox::server
