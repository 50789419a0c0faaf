#include "package/debian/copyright.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/letter_case.h"
#include "package/debian/control.h"
#include "trust/sbom/license.h"

namespace flox::package {
namespace {

constexpr size_t most_licenses = 64;       // of one package
constexpr size_t longest_synopsis = 1024;  // bytes

// Names of DEP-5 and of Debian's habit that are not SPDX's own, in lower case.
const std::map<std::string, std::string, std::less<>>& other_names() {
  static const std::map<std::string, std::string, std::less<>> names{
      {"apache", "Apache-1.0"},
      {"apache-1", "Apache-1.0"},
      {"apache-2", "Apache-2.0"},
      {"artistic", "Artistic-1.0"},
      {"artistic-1", "Artistic-1.0"},
      {"artistic-2", "Artistic-2.0"},
      {"boost", "BSL-1.0"},
      {"bsl-1", "BSL-1.0"},
      {"boost-1.0", "BSL-1.0"},
      {"bsd-2", "BSD-2-Clause"},
      {"bsd-3", "BSD-3-Clause"},
      {"cc0", "CC0-1.0"},
      {"cddl", "CDDL-1.0"},
      {"cpl", "CPL-1.0"},
      {"expat", "MIT"},
      {"gfdl-niv-1.2", "GFDL-1.2-no-invariants-only"},
      {"gfdl-niv-1.2+", "GFDL-1.2-no-invariants-or-later"},
      {"gfdl-niv-1.3", "GFDL-1.3-no-invariants-only"},
      {"gfdl-niv-1.3+", "GFDL-1.3-no-invariants-or-later"},
      {"gfdl-1.3+-no-invariant", "GFDL-1.3-no-invariants-or-later"},
      {"gfdl-1.2-no-invariants", "GFDL-1.2-no-invariants-only"},
      {"gfdl-1.3-no-invariants", "GFDL-1.3-no-invariants-only"},
      {"mpl-1", "MPL-1.0"},
      {"mpl-2", "MPL-2.0"},
      {"ofl", "OFL-1.1"},
      {"perl", "(Artistic-1.0-Perl OR GPL-1.0-or-later)"},
      {"psf", "PSF-2.0"},
      {"psf-2", "PSF-2.0"},
      {"python", "Python-2.0"},
      {"python-2", "Python-2.0"},
      {"unicode", "Unicode-DFS-2016"},
      {"wtfpl-2", "WTFPL"},
      {"zope-2.1", "ZPL-2.1"},
  };
  return names;
}

// "gpl-2+" → "GPL-2.0-or-later"; nothing for other families.
std::optional<std::string> gnu_license(std::string_view name) {
  for (const auto& [family, spdx] : {std::pair<std::string_view, std::string_view>{"agpl-", "AGPL-"},
                                     {"lgpl-", "LGPL-"},
                                     {"gpl-", "GPL-"},
                                     {"gfdl-", "GFDL-"}}) {
    if (!name.starts_with(family)) continue;
    std::string_view version = name.substr(family.size());
    const bool later = version.ends_with('+');
    if (later) version.remove_suffix(1);
    std::string number(version);
    if (number.size() == 1) number += ".0";
    const std::string identifier = std::string(spdx) + number + (later ? "-or-later" : "-only");
    if (trust::is_license_identifier(identifier)) return identifier;
  }
  return std::nullopt;
}

// Empty: SPDX has none that we know.
std::string spdx_license(std::string_view name) {
  const std::string key = lower_case(name);
  if (const auto found = other_names().find(key); found != other_names().end()) return found->second;
  if (auto gnu = gnu_license(key)) return std::move(*gnu);
  return std::string(trust::find_license_identifier(name));
}

std::string exception_of(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> names{
      {"autoconf", "Autoconf-exception-3.0"},
      {"bison", "Bison-exception-2.2"},
      {"classpath", "Classpath-exception-2.0"},
      {"font", "Font-exception-2.0"},
      {"gcc", "GCC-exception-3.1"},
      {"gcc-runtime-library", "GCC-exception-3.1"},
      {"libtool", "Libtool-exception"},
      {"llvm", "LLVM-exception"}};
  std::string key = lower_case(name);
  if (const size_t end = key.find("-exception"); end != std::string::npos) key.erase(end);
  const auto found = names.find(key);
  return found == names.end() ? "" : found->second;
}

// Words, with "," as one of its own.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == ',') {
      end_word();
      if (c == ',') words.emplace_back(",");
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

// list   := group { "," ("and"|"or") group };  a comma binds less than "and" and "or" between its sides
// group  := all { "or" all };  all := one { "and" one };  one := NAME ["with" NAME "exception"]
class Synopsis {
 public:
  explicit Synopsis(std::string_view text) : words_(words_of(text)) {}

  std::string list() {
    std::string result = group();
    bool compound = false;
    while (!result.empty() && at_ < words_.size()) {
      if (!take(",")) return {};
      const std::string operation = take("and") ? " AND " : take("or") ? " OR " : "";
      if (operation.empty()) return {};
      const std::string next = group();
      if (next.empty()) return {};
      result = (compound ? "(" + result + ")" : enclosed(result)) + operation + enclosed(next);
      compound = true;
    }
    return result;
  }

 private:
  static std::string enclosed(const std::string& text) {
    return text.find(' ') == std::string::npos ||
                   (text.front() == '(' && text.find('(', 1) == std::string::npos && text.back() == ')' &&
                    text.find(')') == text.size() - 1)
               ? text
               : "(" + text + ")";
  }
  std::string group() {
    return joined("or", " OR ", [&] { return all(); });
  }
  std::string all() {
    return joined("and", " AND ", [&] { return one(); });
  }

  template <typename Part>
  std::string joined(std::string_view word, std::string_view operation, Part part) {
    std::string result = part();
    while (!result.empty() && take(word)) {
      const std::string next = part();
      if (next.empty()) return {};
      result.append(operation).append(next);
    }
    return result;
  }

  std::string one() {
    if (at_ == words_.size()) return {};
    std::string name = spdx_license(words_[at_++]);
    if (name.empty() || !take("with")) return name;
    if (at_ == words_.size()) return {};
    const std::string exception = exception_of(words_[at_++]);
    take("exception");
    return exception.empty() || name.front() == '(' ? "" : name + " WITH " + exception;
  }

  bool take(std::string_view word) {
    if (at_ == words_.size() || lower_case(words_[at_]) != word) return false;
    ++at_;
    return true;
  }

  std::vector<std::string> words_;
  size_t at_ = 0;
};

// Of a field, whatever the case of its name.
std::optional<std::string_view> field_of(const Stanza& stanza, std::string_view name) {
  for (const auto& [key, value] : stanza)
    if (lower_case(key) == name) return value;
  return std::nullopt;
}

}  // namespace

std::string license_expression(std::string_view synopsis) {
  if (synopsis.size() > longest_synopsis) return {};
  std::string expression = Synopsis(synopsis).list();
  return trust::is_license_expression(expression) ? expression : "";
}

std::string parse_copyright(std::string_view text) {
  if (text.size() > max_copyright) return {};
  std::vector<Stanza> stanzas;
  try {
    stanzas = parse_control(text);
  } catch (const Error&) {  // prose
    return {};
  }
  if (stanzas.empty()) return {};
  const auto format = field_of(stanzas.front(), "format");
  if (!format || format->find("copyright-format") == std::string_view::npos) return {};
  std::vector<std::string> licenses;
  for (const Stanza& stanza : stanzas) {
    if (!field_of(stanza, "files")) continue;
    const std::string_view license = field_of(stanza, "license").value_or("");
    std::string expression = license_expression(license.substr(0, license.find('\n')));
    if (expression.empty()) return {};
    if (std::ranges::find(licenses, expression) != licenses.end()) continue;
    if (licenses.size() == most_licenses) return {};
    licenses.push_back(std::move(expression));
  }
  std::string result;
  for (const std::string& license : licenses) {
    const bool alone = licenses.size() == 1 || license.find(" OR ") == std::string::npos;
    result += (result.empty() ? "" : " AND ") + (alone ? license : "(" + license + ")");
  }
  return trust::is_license_expression(result) ? result : "";
}

}  // namespace flox::package
