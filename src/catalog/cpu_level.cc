#include "catalog/cpu_level.h"

namespace flox::catalog {
namespace {

constexpr std::string_view x86_prefix = "x86-64-v";

}  // namespace

std::string cpu_level() {
#if defined(__x86_64__)
  // Asked by feature: g++ 12 does not know the levels by name.
  __builtin_cpu_init();
  bool v2 =
      __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("ssse3");
  bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
            __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl");
  return std::string(x86_prefix) + (v4 ? "4" : v3 ? "3" : v2 ? "2" : "1");
#else
  return "armv8-a";
#endif
}

int variant_rank(std::string_view variant, std::string_view level) {
  if (variant.empty()) return 0;
  if (variant == level) return variant.starts_with(x86_prefix) ? variant.back() - '0' : 1;
  if (!variant.starts_with(x86_prefix) || !level.starts_with(x86_prefix) || variant.size() != level.size())
    return -1;
  return variant.back() <= level.back() ? variant.back() - '0' : -1;
}

bool is_known_variant(std::string_view variant, std::string_view system) {
  if (variant.empty()) return true;
  if (system == "aarch64-linux") return variant == "armv8-a";
  return variant.size() == x86_prefix.size() + 1 && variant.starts_with(x86_prefix) &&
         variant.back() >= '1' && variant.back() <= '4';
}

}  // namespace flox::catalog
