// The trusted certificates of Java, as its "JKS" key stores have them: what the maintainer script of
// ca-certificates-java would make of the certificates of ca-certificates. Format: the class comment of
// sun.security.provider.JavaKeyStore in OpenJDK.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace flox::package {

// A key store of trusted certificates, by alias (at most 65,535 bytes, no NUL), each in DER. The same
// certificates give the same bytes: entries are dated 1980. Its password, with which it is only checked for
// damage, is Java's "changeit".
std::string java_truststore(const std::map<std::string, std::string>& certificates);

// The first certificate of a text in PEM as DER; nothing if it has none. Throws Error(invalid_input) for one
// that is not base64.
std::optional<std::string> certificate_of_pem(const std::string& pem);

}  // namespace flox::package
