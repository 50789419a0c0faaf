#include "ticket/aws/xml.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace ticket::aws {
namespace {
constexpr std::array<std::pair<char, std::string_view>, 5> entities{
    {{'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}, {'&', "&amp;"}}};
}

std::optional<std::string> xml_text(std::string_view document, std::string_view element) {
  std::string open = fmt::format("<{}>", element);
  size_t begin = document.find(open);
  if (begin == std::string_view::npos) return std::nullopt;
  begin += open.size();
  size_t end = document.find("</", begin);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view raw = document.substr(begin, end - begin);
  std::string text;
  while (!raw.empty()) {
    bool replaced = false;
    for (const auto& [character, entity] : entities) {
      if (!raw.starts_with(entity)) continue;
      text += character;
      raw.remove_prefix(entity.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    text += raw.front();
    raw.remove_prefix(1);
  }
  return text;
}

std::string xml_escape(std::string_view text) {
  std::string result;
  for (char c : text) {
    std::string_view piece(&c, 1);
    for (const auto& [character, entity] : entities)
      if (c == character) piece = entity;
    result += piece;
  }
  return result;
}

}  // namespace ticket::aws
