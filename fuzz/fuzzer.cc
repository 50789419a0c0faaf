// The program of all targets. What it is called by, build/fuzz/bin/NAME, is the target that it runs.
#include <cstdint>
#include <exception>

#include "fuzz.h"
#include "targets.h"

// Reports have lines without LLVM's own symbolizer, which would be another 100 MB to install.
extern "C" const char* __asan_default_options() { return "external_symbolizer_path=/usr/bin/addr2line"; }

namespace {

void (*target)(std::string_view input) = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** arguments) {
  std::string_view name = **arguments;
  name = name.substr(name.rfind('/') + 1);
  for (const auto& [of, one] : flox::fuzz::targets)
    if (of == name) target = one;
  if (target) return 0;
  std::fprintf(
      stderr,
      "there is no fuzz target '%s': the program is called by the name of one, as in build/fuzz/bin/json\n",
      std::string(name).c_str());
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    target(flox::fuzz::expanded({reinterpret_cast<const char*>(data), size}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "an exception left the parser: %s\n", error.what());
    std::abort();
  }
  return 0;
}
