// How much flox says, and saying it: what goes to standard error beside errors.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <utility>

namespace flox::cli {

enum class Verbosity { quiet, normal, verbose, debug };
Verbosity verbosity() noexcept;

// The flags -v, -q and --debug of the program and of each of its commands, which have been added before.
// --debug shows, too, where each setting comes from, but for what is secret.
void add_verbosity(CLI::App& app);

// What people want to know that is no result and no error: a line on standard error, nothing with -q.
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  if (verbosity() != Verbosity::quiet) fmt::print(stderr, format, std::forward<Args>(args)...);
}

}  // namespace flox::cli
