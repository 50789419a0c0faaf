// Sizes, durations and counts as people write them.
#pragma once  // Fuzzed by fuzz/config.cc.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace flox {

// "4096", "500K", "20M", "1.5G", "2T": powers of 1024, with or without a "B" or "iB" behind. Throws
// Error(invalid_input).
uint64_t parse_size(std::string_view text);
// "1.5 GiB".
std::string size_text(uint64_t bytes);

// "90s", "15m", "12h", "30d", "2w"; a number alone counts `unit`. Throws Error(invalid_input).
std::chrono::seconds parse_duration(std::string_view text,
                                    std::chrono::seconds unit = std::chrono::seconds(1));
// The shortest text that parse_duration reads as this one: "15m".
std::string exact_duration_text(std::chrono::seconds duration);
// "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h": the two largest units.
std::string duration_text(std::chrono::seconds duration);

// "1 path", "2 paths": a number of what the noun names, with an "s" behind unless it is one.
std::string count_text(uint64_t number, std::string_view noun);

// The shortest text that parse_size reads as this size: "256K".
std::string exact_size_text(uint64_t bytes);

// A size as a type of its own, so that a setting of it is no count.
struct Size {
  uint64_t bytes = 0;
};

// A size, or a share of a whole: "20G", "10%".
struct Amount {
  double share = 0;                            // 0.1 for "10%"
  uint64_t bytes = 0;                          // used if `share` is 0
  static Amount parse(std::string_view text);  // throws Error(invalid_input)
  std::string to_string() const;               // "10%", "20.0 GiB"
  uint64_t of(uint64_t whole) const {
    return share == 0 ? bytes : static_cast<uint64_t>(share * static_cast<double>(whole));
  }
};

}  // namespace flox
