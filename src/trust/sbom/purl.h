// Package URLs (https://github.com/package-url/purl-spec).
#pragma once

#include <string>
#include <string_view>

namespace flox::trust {

// "pkg:deb/debian/NAME@VERSION?arch=ARCHITECTURE": a binary package of Debian.
std::string debian_purl(std::string_view name, std::string_view version, std::string_view architecture);
// "pkg:pypi/NAME@VERSION": a distribution of PyPI, by its normalised name.
std::string pypi_purl(std::string_view name, std::string_view version);
// "pkg:npm/NAME@VERSION", "pkg:npm/%40SCOPE/NAME@VERSION": a package of npm.
std::string npm_purl(std::string_view name, std::string_view version);
// "pkg:generic/NAME@VERSION?nix-store-path=BASE-NAME": a store path of which no more is known; `version` may
// be empty.
std::string store_path_purl(std::string_view name, std::string_view version, std::string_view base_name);
// Whether the text can be one: "pkg:" and further printable ASCII without spaces, at most 1024 bytes.
bool is_purl(std::string_view text) noexcept;

}  // namespace flox::trust
