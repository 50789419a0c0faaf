#include "trust/sbom/license.h"

#include <algorithm>
#include <iterator>

#include "base/letter_case.h"

namespace flox::trust {
namespace {

// SPDX licence list 3.25.
constexpr std::string_view identifiers[] = {
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-1.0-only",
    "AGPL-1.0-or-later",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "APSL-2.0",
    "Apache-1.0",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSD-4-Clause-UC",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "CPL-1.0",
    "ECL-2.0",
    "EFL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "FSFAP",
    "FSFUL",
    "FSFULLR",
    "FTL",
    "GFDL-1.1-only",
    "GFDL-1.1-or-later",
    "GFDL-1.2-no-invariants-only",
    "GFDL-1.2-no-invariants-or-later",
    "GFDL-1.2-only",
    "GFDL-1.2-or-later",
    "GFDL-1.3-no-invariants-only",
    "GFDL-1.3-no-invariants-or-later",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "IPL-1.0",
    "ISC",
    "JSON",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "LPPL-1.3a",
    "LPPL-1.3c",
    "Libpng",
    "MIT",
    "MIT-0",
    "MPL-1.0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "NTP",
    "OFL-1.0",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "QPL-1.0",
    "Ruby",
    "SGI-B-2.0",
    "SISSL",
    "SSH-OpenSSH",
    "Sleepycat",
    "TCL",
    "TCP-wrappers",
    "Unicode-3.0",
    "Unicode-DFS-2015",
    "Unicode-DFS-2016",
    "Unlicense",
    "UPL-1.0",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "Xnet",
    "ZPL-2.0",
    "ZPL-2.1",
    "Zlib",
    "blessing",
    "bzip2-1.0.6",
    "curl",
    "libtiff",
    "zlib-acknowledgement",
};
constexpr std::string_view exceptions[] = {
    "Autoconf-exception-2.0",
    "Autoconf-exception-3.0",
    "Bison-exception-2.2",
    "Classpath-exception-2.0",
    "Font-exception-2.0",
    "GCC-exception-2.0",
    "GCC-exception-3.1",
    "LLVM-exception",
    "Libtool-exception",
    "Linux-syscall-note",
    "OCaml-LGPL-linking-exception",
    "Qt-LGPL-exception-1.1",
    "u-boot-exception-2.0",
    "x11vnc-openssl-exception",
};
template <size_t N>
constexpr bool has(const std::string_view (&list)[N], std::string_view text) noexcept {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

constexpr size_t deepest = 16;  // parentheses

// expression := term { ("AND" | "OR") term };  term := "(" expression ")" | identifier ["+"] ["WITH"
// exception]
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) { advance(); }

  bool expression(size_t depth) noexcept {
    for (;;) {
      if (!term(depth)) return false;
      if (word_ != "AND" && word_ != "OR") return true;
      advance();
    }
  }
  bool at_end() const noexcept { return word_.empty() && rest_.empty(); }

 private:
  bool term(size_t depth) noexcept {
    if (word_ == "(") {
      advance();
      if (depth == deepest || !expression(depth + 1) || word_ != ")") return false;
      advance();
      return true;
    }
    std::string_view identifier = word_;
    if (identifier.ends_with('+')) identifier.remove_suffix(1);
    if (!is_license_identifier(identifier)) return false;
    advance();
    if (word_ != "WITH") return true;
    advance();
    if (!has(exceptions, word_)) return false;
    advance();
    return true;
  }

  void advance() noexcept {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    size_t size = std::min(rest_.find_first_of(" ()"), rest_.size());
    if (size == 0 && !rest_.empty()) size = 1;  // a parenthesis
    word_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
  }

  std::string_view rest_;
  std::string_view word_;
};

}  // namespace

bool is_license_identifier(std::string_view text) noexcept { return has(identifiers, text); }

std::string_view find_license_identifier(std::string_view text) noexcept {
  for (const std::string_view one : identifiers)
    if (is_same_in_any_case(one, text)) return one;
  return {};
}

bool is_license_expression(std::string_view text) noexcept {
  if (text.empty() || text.size() > longest_license) return false;
  Reader reader(text);
  return reader.expression(0) && reader.at_end();
}

}  // namespace flox::trust
