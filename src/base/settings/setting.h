// A setting is declared once, in the layer that uses it, as a member of a group that declares itself:
//
//   struct GcSettings : SettingGroup {
//     GcSettings() : SettingGroup("Garbage collection") {}
//     Amount gc_min_free = declare(gc_min_free, {.key = "gc_min_free", .help = "Collect when …"}, {.share =
//     0.1});
//   };
//
// The rest comes from there: config.toml and the variables (read.h), options of a command line (options.h),
// `flox config` and docs/reference/settings.md (explain.h). Code reads the member, a plain value.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/settings/types.h"

namespace flox {

// How a setting is named, at least in one way, and what it means. The texts are literals.
struct SettingInfo {
  std::string_view key = {};       // in config.toml
  std::string_view variable = {};  // empty: FLOX_ and the key in capitals, none without a key
  std::string_view option = {};    // "--root"; of the program that adds the group's options to its own
  std::string_view help;           // full sentences in one line
  bool is_url = false;             // or URLs: a login in it is not shown
  uint64_t least = 0;              // of a number, or of a duration in hours
  uint64_t most = UINT64_MAX;
};

// A setting without its type.
struct Setting {
  std::string key, variable, option, help;  // as in SettingInfo; what there is not is empty
  std::string type;                         // for people: "size"
  std::string range;                        // " from 8 to 64"; empty: any
  SettingForm form;
  bool is_url = false;
  std::string fallback;  // the default as text; empty: none
  // One text, or any number for a list. Throws Error(invalid_input).
  std::function<void(const std::vector<std::string>& texts)> set;
  std::function<SettingValue()> value;
  std::function<std::string()> text;  // from which set() makes the same; empty for a secret

  // The key, or what there is instead.
  const std::string& name() const;
  // From one text, as a variable has it: a list is split at white space. Throws Error(invalid_input).
  void set_from_text(const std::string& text) const;
};

// Neither copied nor moved: the settings refer to the members. Not thread-safe while something sets a value.
class SettingGroup {
 public:
  SettingGroup(const SettingGroup&) = delete;
  SettingGroup& operator=(const SettingGroup&) = delete;

  const std::string& title() const noexcept { return title_; }
  const std::vector<Setting>& settings() const noexcept { return settings_; }

 protected:
  explicit SettingGroup(std::string title) : title_(std::move(title)) {}
  ~SettingGroup() = default;

  // For the member's initialiser: makes the setting known and gives the member's first value.
  template <typename T>
  T declare(T& member, const SettingInfo& info, std::type_identity_t<T> fallback = {}) {
    using Type = SettingType<T>;
    Setting& setting = add(info);
    setting.type = Type::name();
    setting.form = Type::form;
    setting.fallback = Type::text(fallback);
    setting.set = [&member, least = info.least, most = info.most](const std::vector<std::string>& texts) {
      (void)least, (void)most;  // not every type has a range
      if constexpr (Type::form.list) {
        member = Type::parse(texts);
      } else {
        T value = Type::parse(texts.at(0));
        if constexpr (requires { Type::count(value); })
          check_range(texts[0], Type::count(value), least, most);
        member = std::move(value);
      }
    };
    setting.value = [&member] { return Type::value(member); };
    setting.text = [&member] { return Type::text(member); };
    return fallback;
  }

 private:
  Setting& add(const SettingInfo& info);
  static void check_range(std::string_view text, uint64_t count, uint64_t least, uint64_t most);

  std::string title_;
  std::vector<Setting> settings_;
};

}  // namespace flox
