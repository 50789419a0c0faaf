// How many files this process may have open at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flox {

// Raises the limit to `wanted`, as far as the system allows that, and gives what holds now. Never lowers it.
size_t allow_open_files(size_t wanted = SIZE_MAX) noexcept;

}  // namespace flox
