#include "base/os/late_library.h"

#include <dlfcn.h>

#include "base/error.h"

namespace flox {

LateLibrary::LateLibrary(const char* soname, const char* purpose, const char* package)
    : soname_(soname), handle_(::dlopen(soname, RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr)
    throw Error(ErrorKind::internal, fmt::format("loading {}, {}: {}", soname, purpose, ::dlerror()),
                fmt::format("Run 'apt-get install {}' to install it.", package));
}

void* LateLibrary::symbol(const char* name) const {
  void* found = ::dlsym(handle_, name);
  if (found == nullptr) fail(ErrorKind::internal, "loading {}: it has no {}", soname_, name);
  return found;
}

}  // namespace flox
