// Whole-word search for keywords in text of any script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ticket {

// A text in lower case (Unicode, no locale) that can be asked for keywords. A keyword counts where neither of
// its neighbours is a letter, a digit of any script or "_", so "crashes" has no "crash", and "can't" needs
// the ASCII apostrophe.
class KeywordText {
 public:
  // Bytes that are not UTF-8 become U+FFFD, which is no letter.
  explicit KeywordText(std::string_view utf8);

  // Whether there is nothing but white space.
  bool blank() const noexcept { return blank_; }
  // Occurrences that do not overlap, from left to right. `keyword` is in lower-case ASCII.
  int count(std::string_view keyword) const;

 private:
  std::u16string text_;
  bool blank_ = true;
};

}  // namespace ticket
