#include "ticket/enrich/keywords.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf16.h>

namespace ticket {
namespace {

// Letters, whatever stands for a number, and "_": the \w of the reference's regular expressions.
bool is_word(UChar32 c) {
  return c == '_' || u_isalpha(c) || u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

}  // namespace

KeywordText::KeywordText(std::string_view utf8) {
  auto text = icu::UnicodeString::fromUTF8(icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())));
  text.toLower(icu::Locale::getRoot());
  text_.assign(text.getBuffer(), static_cast<size_t>(text.length()));
  for (int32_t i = 0; i < text.length() && blank_; i = text.moveIndex32(i, 1))
    blank_ = u_isUWhiteSpace(text.char32At(i));
}

int KeywordText::count(std::string_view keyword) const {
  std::u16string wanted(keyword.begin(), keyword.end());
  int found = 0;
  const auto size = static_cast<int32_t>(text_.size());
  for (size_t at = text_.find(wanted); at != std::u16string::npos;) {
    auto begin = static_cast<int32_t>(at), end = static_cast<int32_t>(at + wanted.size());
    UChar32 before = ' ', after = ' ';
    if (begin > 0) U16_GET(text_.data(), 0, begin - 1, size, before);
    if (end < size) U16_GET(text_.data(), 0, end, size, after);
    bool whole = !is_word(before) && !is_word(after);
    found += whole;
    at = text_.find(wanted, whole ? at + wanted.size() : at + 1);
  }
  return found;
}

}  // namespace ticket
