// The console socket on which an OCI runtime sends the master of a new terminal.
#pragma once

#include <filesystem>

#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::shim {

class ConsoleSocket {
 public:
  // Listens in a fresh directory below $XDG_RUNTIME_DIR or /tmp, removed with the object.
  ConsoleSocket();
  std::filesystem::path path() const { return directory_.path() / "pty.sock"; }
  // The terminal that the runtime has sent by now; it sends before its command ends. Throws Error if it has
  // not.
  Fd receive();

 private:
  TempDir directory_;
  Fd listening_;
};

}  // namespace flox::shim
