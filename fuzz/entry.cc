#include <cstdint>
#include <exception>

#include "fuzz.h"

// Reports have lines without LLVM's own symbolizer, which would be another 100 MB to install.
extern "C" const char* __asan_default_options() { return "external_symbolizer_path=/usr/bin/addr2line"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    flox::fuzz::one(flox::fuzz::expanded({reinterpret_cast<const char*>(data), size}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "an exception left the parser: %s\n", error.what());
    std::abort();
  }
  return 0;
}
