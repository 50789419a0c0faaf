// Reading the members of a JSON object strictly: each is taken once, and what nobody takes is refused.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace flox::trust {

// 2^53: what every reader of JSON keeps as it is.
inline constexpr uint64_t most_number = uint64_t{1} << 53;

// Refers to the object, which must outlive it. Every call throws Error(invalid_input) that names the member.
class Members {
 public:
  explicit Members(const nlohmann::json& object);

  bool has(const char* key) const { return object_.contains(key); }
  const nlohmann::json& at(const char* key);
  const nlohmann::json& object(const char* key);
  const nlohmann::json& array(const char* key, size_t most);
  std::string text(const char* key, size_t most = 256);
  void literal(const char* key, std::string_view expected);
  uint64_t number(const char* key, uint64_t least, uint64_t most = most_number);
  bool truth(const char* key);
  // Lower-case hexadecimal of so many bytes; the bytes.
  std::string hex(const char* key, size_t bytes);
  // An array of texts.
  std::vector<std::string> texts(const char* key, size_t most);
  // Throws if there is a member that was not taken.
  void end() const;

 private:
  const nlohmann::json& object_;
  std::vector<std::string_view> taken_;
};

// Throws Error(invalid_input) unless the text is lower-case hexadecimal of so many bytes.
void check_hex(std::string_view text, size_t bytes, std::string_view what);

}  // namespace flox::trust
