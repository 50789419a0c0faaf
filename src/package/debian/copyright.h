// The licences of a Debian package, as its copyright file has them where that is machine-readable (DEP-5:
// https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/).
#pragma once  // Fuzzed by fuzz/copyright.cc.

#include <string>
#include <string_view>

namespace flox::package {

// A copyright file that is longer says nothing here, bytes.
inline constexpr size_t max_copyright = 4 << 20;

// The licences of all its files as one SPDX expression (trust/sbom/license.h), joined by AND in the order of
// the text, each once. Empty if the text is not machine-readable, or if one of its licences is none that SPDX
// names: half of the licences would be a wrong answer.
std::string parse_copyright(std::string_view text);

// What DEP-5 writes as "GPL-2+ or Artistic, and Expat", as "(GPL-2.0-or-later OR Artistic-1.0) AND MIT".
// Empty as above.
std::string license_expression(std::string_view synopsis);

}  // namespace flox::package
