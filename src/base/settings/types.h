// What a setting's value may be: how it is read from text and shown, by its type.
#pragma once  // Fuzzed by fuzz/config.cc.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/data/secret.h"
#include "base/error.h"
#include "base/settings/address.h"
#include "base/settings/units.h"

namespace flox {

// A value as it may be shown. A secret is "(set)" or empty.
using SettingValue =
    std::variant<bool, uint64_t, std::string, std::vector<std::string>, std::map<std::string, std::string>>;

// What else than a text config.toml may have for a setting.
struct SettingForm {
  bool list = false;    // texts; a variable has spaces between them
  bool number = false;  // a whole number
  bool truth = false;   // true or false
  bool secret = false;  // it is never shown, and who else may read the file must not
};

// For each type T: `form`; name() for people; parse() from a text, or from texts if T is a list, which throws
// Error(invalid_input); text(), from which parse() makes the same value, for defaults; value() to show;
// count(), if T is a number that can be held within a range.
template <typename T>
struct SettingType;

template <>
struct SettingType<std::string> {
  static constexpr SettingForm form{};
  static std::string name() { return "text"; }
  static std::string parse(const std::string& text) { return text; }
  static std::string text(const std::string& value) { return value; }
  static SettingValue value(const std::string& value) { return value; }
};

template <>
struct SettingType<std::filesystem::path> {
  static constexpr SettingForm form{};
  static std::string name() { return "path"; }
  static std::filesystem::path parse(const std::string& text) { return text; }
  static std::string text(const std::filesystem::path& value) { return value.string(); }
  static SettingValue value(const std::filesystem::path& value) { return value.string(); }
};

template <>
struct SettingType<Secret> {
  static constexpr SettingForm form{.secret = true};
  static std::string name() { return "secret"; }
  static Secret parse(const std::string& text) { return Secret(text); }
  static std::string text(const Secret&) { return {}; }
  static SettingValue value(const Secret& value) { return std::string(value.empty() ? "" : "(set)"); }
};

template <>
struct SettingType<bool> {
  static constexpr SettingForm form{.truth = true};
  static std::string name() { return "true or false"; }
  static bool parse(const std::string& text);  // "1" and "0" too; empty is false
  static std::string text(bool value) { return value ? "true" : "false"; }
  static SettingValue value(bool value) { return value; }
};

template <>
struct SettingType<uint64_t> {
  static constexpr SettingForm form{.number = true};
  static std::string name() { return "number"; }
  static uint64_t parse(const std::string& text);
  static std::string text(uint64_t value) { return std::to_string(value); }
  static SettingValue value(uint64_t value) { return value; }
  static uint64_t count(uint64_t value) { return value; }
};

template <>
struct SettingType<Size> {
  static constexpr SettingForm form{.number = true};
  static std::string name() { return "size"; }
  static Size parse(const std::string& text) { return {parse_size(text)}; }
  static std::string text(Size value) { return exact_size_text(value.bytes); }
  static SettingValue value(Size value) { return value.bytes; }
};

template <>
struct SettingType<Amount> {
  static constexpr SettingForm form{.number = true};
  static std::string name() { return "size or share"; }
  static Amount parse(const std::string& text) { return Amount::parse(text); }
  static std::string text(const Amount& value) {
    return value.share == 0 ? exact_size_text(value.bytes) : value.to_string();
  }
  static SettingValue value(const Amount& value) { return value.to_string(); }
};

template <>
struct SettingType<std::chrono::seconds> {
  static constexpr SettingForm form{.number = true};
  static std::string name() { return "duration"; }
  static std::chrono::seconds parse(const std::string& text) { return parse_duration(text); }
  static std::string text(std::chrono::seconds value) { return exact_duration_text(value); }
  static SettingValue value(std::chrono::seconds value) { return std::to_string(value.count()) + "s"; }
};

// A duration whose plain number counts hours, as it always did: "24" is a day.
template <>
struct SettingType<std::chrono::hours> {
  static constexpr SettingForm form{.number = true};
  static std::string name() { return "duration"; }
  static std::chrono::hours parse(const std::string& text);  // whole hours
  static std::string text(std::chrono::hours value) { return exact_duration_text(value); }
  static SettingValue value(std::chrono::hours value) { return text(value); }
  static uint64_t count(std::chrono::hours value) { return static_cast<uint64_t>(value.count()); }
};

template <>
struct SettingType<AddressPort> {
  static constexpr SettingForm form{};
  static std::string name() { return "address:port"; }
  static AddressPort parse(const std::string& text) { return AddressPort::parse(text); }
  static std::string text(const AddressPort& value) { return value.to_string(); }
  static SettingValue value(const AddressPort& value) { return value.to_string(); }
};

// Empty: none.
template <>
struct SettingType<std::optional<AddressPort>> {
  static constexpr SettingForm form{};
  static std::string name() { return "address:port or nothing"; }
  static std::optional<AddressPort> parse(const std::string& text);
  static std::string text(const std::optional<AddressPort>& value) { return value ? value->to_string() : ""; }
  static SettingValue value(const std::optional<AddressPort>& value) { return text(value); }
};

template <>
struct SettingType<std::vector<std::string>> {
  static constexpr SettingForm form{.list = true};
  static std::string name() { return "list"; }
  static std::vector<std::string> parse(const std::vector<std::string>& texts) { return texts; }
  static std::string text(const std::vector<std::string>& value);  // spaces between
  static SettingValue value(const std::vector<std::string>& value) { return value; }
};

// A list of NAME=VALUE.
template <>
struct SettingType<std::map<std::string, std::string>> {
  static constexpr SettingForm form{.list = true};
  static std::string name() { return "list of NAME=VALUE"; }
  static std::map<std::string, std::string> parse(const std::vector<std::string>& texts);
  static std::string text(const std::map<std::string, std::string>& value);  // spaces between
  static SettingValue value(const std::map<std::string, std::string>& value) { return value; }
};

// For an enum E: `all`, an array of pairs of a word and its value.
template <typename E>
struct SettingWords;

template <typename E>
requires std::is_enum_v<E>
struct SettingType<E> {
  static constexpr SettingForm form{};
  static std::string name() {
    std::string names;
    for (const auto& [word, value] : SettingWords<E>::all) {
      if (!names.empty()) names += " or ";
      names += word;
    }
    return names;
  }
  static E parse(const std::string& text) {
    for (const auto& [word, value] : SettingWords<E>::all)
      if (text == word) return value;
    fail(ErrorKind::invalid_input, "'{}' is not {}", text, name());
  }
  static std::string text(E value) {
    for (const auto& [word, known] : SettingWords<E>::all)
      if (value == known) return std::string(word);
    return {};
  }
  static SettingValue value(E value) { return text(value); }
};

}  // namespace flox
