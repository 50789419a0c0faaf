#include "base/settings/setting.h"

#include <algorithm>

#include "base/error.h"

namespace flox {
namespace {

std::vector<std::string> words(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  std::vector<std::string> result;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
    if (text.empty()) return result;
    const std::string_view word = text.substr(0, text.find_first_of(space));
    result.emplace_back(word);
    text.remove_prefix(word.size());
  }
}

std::string variable_of(std::string_view key) {
  std::string variable = "FLOX_";
  for (const char c : key) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

}  // namespace

const std::string& Setting::name() const {
  if (!key.empty()) return key;
  return option.empty() ? variable : option;
}

void Setting::set_from_text(const std::string& text) const {
  set(form.list ? words(text) : std::vector<std::string>{text});
}

Setting& SettingGroup::add(const SettingInfo& info) {
  Setting& setting = settings_.emplace_back();
  setting.key = info.key;
  setting.variable = info.variable.empty() && !info.key.empty() ? variable_of(info.key) : info.variable;
  setting.option = info.option;
  setting.help = info.help;
  setting.is_url = info.is_url;
  if (info.most != UINT64_MAX) setting.range = fmt::format(" from {} to {}", info.least, info.most);
  return setting;
}

void SettingGroup::check_range(std::string_view text, uint64_t count, uint64_t least, uint64_t most) {
  if (count < least || count > most)
    fail(ErrorKind::invalid_input, "'{}' is out of range: it must be from {} to {}", text, least, most);
}

}  // namespace flox
