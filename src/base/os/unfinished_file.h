// A file that is not there until it is whole.
#pragma once

#include <string>

#include "base/os/directory.h"

namespace flox {

// It has no name while it is written (O_TMPFILE), so nothing of it stays, whatever ends this process; on a
// file system that has no such files it has another name (base/os/beside.h), which goes with the object. One
// thread at a time. The directory must outlive it. Every call throws Error.
class UnfinishedFile {
 public:
  UnfinishedFile(const Directory& directory, const std::string& name, unsigned mode);
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;
  ~UnfinishedFile();

  int fd() const noexcept { return fd_.get(); }
  // Gives it its name, in place of a file that has it.
  void replace();
  // Gives it its name, which nothing may have: Error(conflict).
  void create();

 private:
  // Makes the file, which has no name or the other one, one of this name; false if something has the name.
  bool link(const std::string& name);

  const Directory& directory_;
  std::string name_;
  std::string temporary_;  // the other name; empty: it has none
  Fd fd_;
};

}  // namespace flox
