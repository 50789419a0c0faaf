// What the fuzz targets share. Each target is one file NAME.cc that defines of_NAME::one: it hands the input
// to a parser as a stranger would and requires what the parser's header promises. Whatever breaks a promise
// ends the process, which libFuzzer reports together with the input.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace flox::fuzz {

// The input with each "\xfd\xfe" EXPONENT SIZE PIECE in it written out: the PIECE of SIZE (modulo 16) bytes,
// 2 to the power of EXPONENT (modulo 21) times. So a seed of a few bytes is nested a million levels deep, and
// libFuzzer can make others of it. The result has at most 4 MiB: what would be longer is left as it is.
inline std::string expanded(std::string_view input) {
  constexpr std::string_view mark = "\xfd\xfe";
  constexpr size_t most = 4 << 20;
  std::string text;
  for (size_t at = input.find(mark); at != std::string_view::npos; at = input.find(mark)) {
    text += input.substr(0, at);
    input.remove_prefix(at);
    if (input.size() < 4) break;
    const size_t times = size_t{1} << (static_cast<unsigned char>(input[2]) % 21);
    const std::string_view piece = input.substr(4, static_cast<unsigned char>(input[3]) % 16);
    if (text.size() + times * piece.size() + input.size() > most) {
      text += input.substr(0, mark.size());
      input.remove_prefix(mark.size());
      continue;
    }
    for (size_t i = 0; i < times; ++i) text += piece;
    input.remove_prefix(4 + piece.size());
  }
  return text += input;
}

inline void require(bool condition, std::string_view promise) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

// Runs a parser: true if it takes the input, false if it refuses it with an Error of one of these kinds. An
// Error of another kind is a finding: above all `internal`, which is what in_context makes of foreign
// exceptions.
template <typename Body>
bool accepts(Body&& body, std::initializer_list<ErrorKind> refusals = {ErrorKind::invalid_input}) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    for (ErrorKind kind : refusals)
      if (error.kind() == kind) return false;
    std::fprintf(stderr, "refused as %s: %s\n", to_string(error.kind()), error.what());
    std::abort();
  }
}

// Takes the first byte; 0 if there is none.
inline unsigned take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  return byte;
}

// Takes what stands before the separator, or everything.
inline std::string_view take_until(std::string_view& input, char separator) {
  const std::string_view piece = input.substr(0, input.find(separator));
  input.remove_prefix(std::min(piece.size() + 1, input.size()));
  return piece;
}

inline std::vector<std::string> split(std::string_view input, char separator) {
  std::vector<std::string> pieces;
  while (!input.empty()) pieces.emplace_back(take_until(input, separator));
  return pieces;
}

}  // namespace flox::fuzz
