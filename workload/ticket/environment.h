// Environment variables, typed. An empty variable counts as not set, as shells and Kubernetes leave them.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>

namespace ticket {

std::optional<std::string> environment(const char* name);
// The first of `names` that is set, otherwise `fallback`.
std::string environment_or(std::initializer_list<const char*> names, std::string fallback);
// Whether it says "true", in any case.
bool environment_flag(const char* name);
// "true" or "false", in any case; `fallback` if not set. Throws flox::Error(invalid_input) for anything else.
bool environment_switch(const char* name, bool fallback);
// A whole number within [low, high]; none if not set. Throws flox::Error(invalid_input) naming the variable,
// its value and what is wanted.
std::optional<long> environment_number(const char* name, long low, long high);

}  // namespace ticket
