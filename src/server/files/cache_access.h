// Which of the cache's files somebody may use, and who may use those that are uploaded.
#pragma once

#include <string>

namespace flox::server {

// Thread-safe. Files are known by their names in the cache: "DIGEST.narinfo", "nar/HASH.nar.zst".
class CacheAccess {
 public:
  virtual ~CacheAccess() = default;
  // Files that may not be read are as if they were not there.
  virtual bool may_read(const std::string& name) const = 0;
  // The uploader has shown that it has the content of the file, which becomes visible after this if it
  // `is_new`.
  virtual void grant(const std::string& name, bool is_new) const = 0;
};

// Everyone may use everything.
class OpenAccess : public CacheAccess {
 public:
  bool may_read(const std::string&) const override { return true; }
  void grant(const std::string&, bool) const override {}
};
inline const OpenAccess open_access;

}  // namespace flox::server
