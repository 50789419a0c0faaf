#include "ticket/model/bert_text.h"

#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "ticket/model/unicode_rules.h"

namespace ticket::model {
namespace {

using Word = std::function<bool(std::string_view)>;

enum class AsciiKind : uint8_t { letter, space, punctuation, control };

constexpr std::array<AsciiKind, 128> ascii_kinds = [] {
  std::array<AsciiKind, 128> kinds{};
  for (int c = 0; c < 128; ++c) {
    bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    bool space = c == ' ' || (c >= '\t' && c <= '\r');
    kinds[static_cast<size_t>(c)] = alphanumeric          ? AsciiKind::letter
                                    : space               ? AsciiKind::space
                                    : c < ' ' || c == 127 ? AsciiKind::control
                                                          : AsciiKind::punctuation;
  }
  return kinds;
}();

// NFD of Unicode 9, the reference's: what came later has no decomposition and no combining class.
const icu::Normalizer2& nfd() {
  static const icu::Normalizer2* normalizer = [] {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* newest = icu::Normalizer2::getNFDInstance(status);
    auto* known =
        new icu::UnicodeSet(UNICODE_STRING_SIMPLE("[:age=9.0:]"), status);  // lives as long as the program
    if (U_FAILURE(status)) flox::fail(flox::ErrorKind::internal, "ICU has no NFD: {}", u_errorName(status));
    known->freeze();
    return new icu::FilteredNormalizer2(*newest, *known);
  }();
  return *normalizer;
}

// ICU's normalizer moves each mark past those before it that belong behind it: a million marks of one kind
// and a million of another take hours. So many marks in a row as this are sorted instead.
constexpr int most_marks = 64;

// NFD as nfd() makes it, in a time that does not depend on how many marks follow each other.
icu::UnicodeString decomposed(const icu::UnicodeString& text) {
  struct Mark {
    UChar32 character;
    uint8_t order;  // its canonical combining class
  };
  icu::UnicodeString result;
  std::vector<Mark> marks;
  auto end_marks = [&] {
    std::ranges::stable_sort(marks, {}, &Mark::order);
    for (const Mark& mark : marks) result.append(mark.character);
    marks.clear();
  };
  auto append = [&](UChar32 c) {
    if (const uint8_t order = nfd().getCombiningClass(c); order != 0) {
      marks.push_back({c, order});
    } else {
      end_marks();
      result.append(c);
    }
  };
  icu::UnicodeString parts;
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    const UChar32 c = text.char32At(at);
    if (!nfd().getDecomposition(c, parts)) {
      append(c);
      continue;
    }
    for (int32_t part = 0; part < parts.length(); part = parts.moveIndex32(part, 1))
      append(parts.char32At(part));
  }
  end_marks();
  return result;
}

icu::UnicodeString normalized(const icu::UnicodeString& text) {
  int longest = 0;
  int marks = 0;  // in a row
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    const UChar32 c = text.char32At(at);
    marks = c < 0x300 || nfd().hasBoundaryBefore(c) ? 0 : marks + 1;
    longest = std::max(longest, marks);
  }
  if (longest > most_marks) return decomposed(text);
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString result = nfd().normalize(text, status);
  if (U_FAILURE(status)) flox::fail(flox::ErrorKind::internal, "normalising a text: {}", u_errorName(status));
  return result;
}

// The words of a text come out one character at a time.
class Words {
 public:
  explicit Words(const Word& word) : word_(word) {}

  void letter(char c) { current_ += c; }
  void letter(UChar32 c) {
    std::array<char, U8_MAX_LENGTH> bytes;
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes.data(), size, c);
    current_.append(bytes.data(), static_cast<size_t>(size));
  }
  // Ends the word, if there is one. Whether to go on.
  bool end() {
    bool more = current_.empty() || word_(current_);
    current_.clear();
    return more;
  }
  template <typename Char>
  bool alone(Char c) {
    if (!end()) return false;
    letter(c);
    return end();
  }

 private:
  const Word& word_;
  std::string current_;
};

bool ascii_words(std::string_view text, const BertTextRules& rules, Words& words) {
  for (char c : text) {
    switch (ascii_kinds[static_cast<unsigned char>(c)]) {
      case AsciiKind::letter:
        words.letter(rules.lower_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c);
        break;
      case AsciiKind::control:
        if (!rules.clean) words.letter(c);
        break;
      case AsciiKind::space:
        // Vertical tab and form feed are control characters, which are dropped before white space is looked
        // at.
        if (rules.clean && (c == '\v' || c == '\f')) break;
        if (!words.end()) return false;
        break;
      case AsciiKind::punctuation:
        if (!words.alone(c)) return false;
        break;
    }
  }
  return words.end();
}

bool unicode_words(std::string_view utf8, const BertTextRules& rules, Words& words) {
  icu::UnicodeString text;
  const auto size = static_cast<int32_t>(utf8.size());
  for (int32_t at = 0; at < size;) {
    UChar32 c;
    U8_NEXT_OR_FFFD(reinterpret_cast<const uint8_t*>(utf8.data()), at, size, c);
    if (rules.clean && bert::is_dropped(c)) continue;
    if (rules.split_ideographs && bert::is_ideograph(c)) {
      text.append(u' ').append(c).append(u' ');
    } else {
      text.append(c);
    }
  }
  if (rules.strip_accents) text = normalized(text);
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    UChar32 c = text.char32At(at);
    if (rules.strip_accents && bert::is_accent(c)) continue;
    if (is_white_space(c)) {
      if (!words.end()) return false;
      continue;
    }
    if (rules.lower_case) {
      if (c == 0x130) {  // İ: the one letter whose lower case has two characters
        words.letter('i');
        c = 0x307;
      } else {
        c = bert::to_lower(c);
      }
    }
    if (!bert::is_punctuation(c)) {
      words.letter(c);
    } else if (!words.alone(c)) {
      return false;
    }
  }
  return words.end();
}

}  // namespace

bool for_each_bert_word(std::string_view utf8, const BertTextRules& rules, const Word& word) {
  // Piece by piece, so that of a long text no more is looked at than the caller wants words. A space ends a
  // word and nothing is composed or reordered across it.
  constexpr size_t piece_size = 4096;
  Words words(word);
  while (!utf8.empty()) {
    size_t end = utf8.size() <= piece_size ? utf8.size() : std::min(utf8.find(' ', piece_size), utf8.size());
    std::string_view piece = utf8.substr(0, end);
    utf8.remove_prefix(end);
    bool ascii = std::ranges::all_of(piece, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!(ascii ? ascii_words(piece, rules, words) : unicode_words(piece, rules, words))) return false;
  }
  return true;
}

}  // namespace ticket::model
