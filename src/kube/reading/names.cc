#include "kube/reading/names.h"

#include <algorithm>

namespace flox::kube {
namespace {

constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool only(std::string_view text, std::string_view letters, std::string_view others = {}) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letters.find(c) != letters.npos || others.find(c) != others.npos;
  });
}

bool begins_and_ends(std::string_view text, std::string_view letters) {
  return !text.empty() && letters.find(text.front()) != letters.npos &&
         letters.find(text.back()) != letters.npos;
}

// Whether it holds for each part between the separators.
template <typename Check>
bool each_part(std::string_view text, char separator, Check check) {
  while (true) {
    const std::string_view part = text.substr(0, text.find(separator));
    if (!check(part)) return false;
    if (part.size() == text.size()) return true;
    text.remove_prefix(part.size() + 1);
  }
}

}  // namespace

bool is_dns_label(std::string_view text) noexcept {
  return text.size() <= 63 && begins_and_ends(text, lower) && only(text, lower, "-");
}

bool is_dns_subdomain(std::string_view text) noexcept {
  return text.size() <= 253 && each_part(text, '.', [](std::string_view part) {
           return begins_and_ends(part, lower) && only(part, lower, "-");
         });
}

bool is_data_key(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 253 && only(text, alphanumeric, "-._") && text != "." &&
         !text.starts_with("..");
}

bool is_label_value(std::string_view text) noexcept {
  return text.empty() ||
         (text.size() <= 63 && begins_and_ends(text, alphanumeric) && only(text, alphanumeric, "-._"));
}

bool is_qualified_name(std::string_view text) noexcept {
  const size_t slash = text.find('/');
  if (slash != text.npos && !is_dns_subdomain(text.substr(0, slash))) return false;
  const std::string_view name = slash == text.npos ? text : text.substr(slash + 1);
  return !name.empty() && is_label_value(name);
}

bool is_port(std::string_view text) noexcept {
  if (text.empty() || text.size() > 15) return false;
  if (only(text, "0123456789")) {
    if (text.size() > 5) return false;
    int number = 0;
    for (const char c : text) number = number * 10 + (c - '0');
    return number >= 1 && number <= 65535;
  }
  return begins_and_ends(text, lower) && only(text, lower, "-");
}

bool is_kind(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 63 && text.front() >= 'A' && text.front() <= 'Z' &&
         only(text, alphanumeric);
}

bool is_descending_path(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 4096 && text.front() != '/' && text.find('\0') == text.npos &&
         each_part(text, '/', [](std::string_view part) { return part != ".."; });
}

bool is_item_path(std::string_view text) noexcept {
  return is_descending_path(text) && !text.starts_with("..");
}

bool is_host_path(std::string_view text) noexcept {
  return text.starts_with('/') && text.size() <= 4096 && text.find('\0') == text.npos &&
         each_part(text, '/', [](std::string_view part) { return part != ".."; });
}

}  // namespace flox::kube
