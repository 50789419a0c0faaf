// Microarchitecture levels: what this CPU can run, and which of several variants is best for it.
#pragma once

#include <string>
#include <string_view>

namespace flox::catalog {

// "x86-64-v1" … "x86-64-v4" by the x86-64 psABI's feature sets; "armv8-a" on aarch64.
std::string cpu_level();

// How good a variant is for a CPU of this level: -1 if the CPU cannot run it, 0 for a build for any CPU
// (empty variant), otherwise higher for a higher level.
int variant_rank(std::string_view variant, std::string_view level);

// May a build for this system be of this variant? Empty, or a level that cpu_level() can say there.
bool is_known_variant(std::string_view variant, std::string_view system);

}  // namespace flox::catalog
