#include "cli/shown_setting.h"

#include "base/net/url.h"

namespace flox::cli {

nlohmann::ordered_json shown_setting(const Setting& setting) {
  SettingValue value = setting.value();
  if (setting.is_url) {
    if (auto* url = std::get_if<std::string>(&value)) *url = hide_login(*url);
    if (auto* urls = std::get_if<std::vector<std::string>>(&value))
      for (std::string& url : *urls) url = hide_login(url);
  }
  return std::visit([](const auto& known) { return nlohmann::ordered_json(known); }, value);
}

}  // namespace flox::cli
