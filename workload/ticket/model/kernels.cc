#include <cstdlib>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "base/error.h"
#include "ticket/model/kernel.h"

namespace ticket::model {

using flox::ErrorKind;

#if defined(TICKET_HAS_V2)
extern const Kernels kernels_x86_64_v2;
#endif
#if defined(TICKET_HAS_V3)
extern const Kernels kernels_x86_64_v3;
#endif
#if defined(TICKET_HAS_V3_VNNI)
extern const Kernels kernels_x86_64_v3_vnni;
#endif
#if defined(TICKET_HAS_V4)
extern const Kernels kernels_x86_64_v4;
#endif
#if defined(TICKET_HAS_V4_VNNI)
extern const Kernels kernels_x86_64_v4_vnni;
#endif
#if defined(TICKET_HAS_AARCH64)
extern const Kernels kernels_aarch64;
#endif
#if defined(TICKET_HAS_AARCH64_DOTPROD)
extern const Kernels kernels_aarch64_dotprod;
#endif

namespace {

struct Level {
  const Kernels* kernels;
  bool runs_here;
};

#if defined(__x86_64__)
// g++ 12 does not know the levels' names here, so their features are asked for one by one (x86-64 psABI,
// table "Micro-Architecture Levels").
[[maybe_unused]] bool runs_v2() {
  return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("popcnt");
}
// f16c and lzcnt came with avx2 in every processor that has it.
[[maybe_unused]] bool runs_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
[[maybe_unused]] bool runs_v4() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
// AVX-VNNI, the encoding for registers of 256 bits: CPUID leaf 7, subleaf 1, EAX bit 4 (Intel SDM, CPUID).
// Compilers learnt its name late.
[[maybe_unused]] bool has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}
#endif

// Best first.
const Level levels[] = {
#if defined(TICKET_HAS_V4_VNNI)
    {&kernels_x86_64_v4_vnni, runs_v4() && __builtin_cpu_supports("avx512vnni")},
#endif
#if defined(TICKET_HAS_V4)
    {&kernels_x86_64_v4, runs_v4()},
#endif
#if defined(TICKET_HAS_V3_VNNI)
    {&kernels_x86_64_v3_vnni, runs_v3() && has_avx_vnni()},
#endif
#if defined(TICKET_HAS_V3)
    {&kernels_x86_64_v3, runs_v3()},
#endif
#if defined(TICKET_HAS_V2)
    {&kernels_x86_64_v2, runs_v2()},
#endif
#if defined(TICKET_HAS_AARCH64_DOTPROD)
    {&kernels_aarch64_dotprod, (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0},
#endif
#if defined(TICKET_HAS_AARCH64)
    {&kernels_aarch64, true},
#endif
};

std::string known_levels() {
  std::string names;
  for (const Level& level : levels) names += (names.empty() ? "" : ", ") + std::string(level.kernels->level);
  return names;
}

const Kernels& choose() {
  const char* wanted = std::getenv("TICKET_CPU_LEVEL");
  if (wanted && *wanted) {
    for (const Level& level : levels) {
      if (std::string_view(level.kernels->level) != wanted) continue;
      if (!level.runs_here)
        flox::fail(ErrorKind::unavailable, "TICKET_CPU_LEVEL is {}, which this processor cannot run", wanted);
      return *level.kernels;
    }
    flox::fail(ErrorKind::invalid_input, "TICKET_CPU_LEVEL is {}; this program has {}", wanted,
               known_levels());
  }
  for (const Level& level : levels)
    if (level.runs_here) return *level.kernels;
  throw flox::Error(
      ErrorKind::unavailable,
      fmt::format("this program is built for {}, which this processor cannot run", known_levels()),
      "Use the package ticket-processor, without -avx2 or -avx512: it runs on every processor since 2009.");
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

std::vector<const Kernels*> runnable_kernels() {
  std::vector<const Kernels*> runnable;
  for (const Level& level : levels)
    if (level.runs_here) runnable.push_back(level.kernels);
  return runnable;
}

std::vector<const Kernels*> known_kernels() {
  std::vector<const Kernels*> known;
  for (const Level& level : levels) known.push_back(level.kernels);
  return known;
}

}  // namespace ticket::model
