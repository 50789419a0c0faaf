// Characters as the reference's libraries classify them. Those carry tables of different versions of Unicode
// (measured with tokenizers 0.21.4 over all code points); ICU's are newer for some and older for others, so
// the differences are spelt out.
#pragma once

#include <unicode/umachine.h>

#include <string>
#include <string_view>

namespace ticket::model {

// `text` itself if it is UTF-8, otherwise a corrected copy kept in `buffer`: each maximal part of a broken
// sequence becomes U+FFFD, as Python's bytes.decode("utf-8", "replace") has it.
std::string_view valid_utf8(std::string_view text, std::string& buffer);

// Unicode's White_Space: the \s of both pre-tokenizers.
bool is_white_space(UChar32 c);

// The BERT normalizer's and pre-tokenizer's classes; categories are those of Unicode 8.
namespace bert {
// U+0000, U+FFFD, control, format and private-use characters; not tab, line feed and carriage return.
bool is_dropped(UChar32 c);
bool is_accent(UChar32 c);       // category Mn
bool is_punctuation(UChar32 c);  // category P*, or ASCII and none of letter, digit, space, control
bool is_ideograph(UChar32 c);    // the CJK blocks that BERT surrounds with spaces
// Rust's char::to_lowercase (Unicode 16), but for U+0130, whose lower case has two characters.
UChar32 to_lower(UChar32 c);
}  // namespace bert

// The \p{L} and \p{N} of the byte-level pre-tokenizer's regular expression: Oniguruma's, Unicode 16.
namespace byte_level {
bool is_letter(UChar32 c);
bool is_number(UChar32 c);
}  // namespace byte_level

}  // namespace ticket::model
