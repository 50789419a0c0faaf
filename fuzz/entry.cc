#include <cstdint>
#include <exception>

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    flox::fuzz::one({reinterpret_cast<const char*>(data), size});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "a foreign exception left the parser: %s\n", error.what());
    std::abort();
  }
  return 0;
}
