#include "ticket/environment.h"

#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "base/letter_case.h"

namespace ticket {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::string environment_or(std::initializer_list<const char*> names, std::string fallback) {
  for (const char* name : names)
    if (auto value = environment(name)) return *value;
  return fallback;
}

bool environment_flag(const char* name) {
  auto value = environment(name);
  return value && flox::is_same_in_any_case(*value, "true");
}

bool environment_switch(const char* name, bool fallback) {
  auto value = environment(name);
  if (!value) return fallback;
  if (flox::is_same_in_any_case(*value, "true")) return true;
  if (flox::is_same_in_any_case(*value, "false")) return false;
  flox::fail(flox::ErrorKind::invalid_input,
             "the environment variable {} is '{}', but it must be true or false", name, *value);
}

std::optional<long> environment_number(const char* name, long low, long high) {
  auto text = environment(name);
  if (!text) return std::nullopt;
  long number = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < low || number > high)
    flox::fail(flox::ErrorKind::invalid_input,
               "the environment variable {} is '{}', but it must be a whole number from {} to {}", name,
               *text, low, high);
  return number;
}

}  // namespace ticket
