#include "base/net/code_login.h"

#include <fmt/format.h>

#include "base/data/base64url.h"
#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/net/url.h"

namespace flox {
namespace {

constexpr size_t random_size = 32;     // bytes; RFC 7636, section 4.1: 43 characters
constexpr size_t longest_code = 4096;  // bytes

std::string random_text() { return to_base64url(random_bytes(random_size)); }

std::string text_of(const std::map<std::string, std::string>& parameters, const char* key) {
  const auto found = parameters.find(key);
  return found == parameters.end() ? std::string() : found->second;
}

// The code, if the answer is of this issuer (RFC 9207): one who has made the user log in elsewhere would be
// given the code that counts here.
Secret code_in(const std::map<std::string, std::string>& parameters, const Issuer& issuer) {
  const auto from = parameters.find("iss");
  if (from != parameters.end() ? from->second != issuer.url()
                               : issuer.says("authorization_response_iss_parameter_supported"))
    fail(ErrorKind::untrusted, "the answer is of another issuer");
  if (const std::string error = text_of(parameters, "error"); !error.empty())
    Issuer::fail_with(error, text_of(parameters, "error_description"));
  Secret code(text_of(parameters, "code"));
  if (code.empty() || code.reveal().size() > longest_code)
    fail(ErrorKind::untrusted, "the answer has no code of 1 to {} bytes", longest_code);
  return code;
}

}  // namespace

CodeLogin CodeLogin::begin() {
  return {.state = Secret(random_text()), .verifier = Secret(random_text()), .nonce = random_text()};
}

std::string page_of(const CodeLogin& login, const Issuer& issuer, const IssuerLogin& at,
                    const std::string& redirect, const std::string& advice) {
  const std::string page = issuer.endpoint("authorization_endpoint", advice);
  issuer.endpoint("token_endpoint", advice);
  if (!issuer.lists("code_challenge_methods_supported", "S256"))
    throw Error(ErrorKind::unavailable, "the issuer has no PKCE with S256 (RFC 7636)", advice);
  return fmt::format(
      "{}{}response_type=code&client_id={}&redirect_uri={}&scope={}&state={}&nonce={}"
      "&code_challenge={}&code_challenge_method=S256",
      page, page.find('?') == std::string::npos ? '?' : '&', url_encode(at.client_id), url_encode(redirect),
      url_encode(at.scope), login.state.reveal(), login.nonce,
      to_base64url(bytes_of(sha256(login.verifier.reveal()))));
}

Secret id_token_of(const CodeLogin& login, const Issuer& issuer, const IssuerLogin& at,
                   const std::string& redirect, const std::map<std::string, std::string>& answer) {
  Form form = {{"grant_type", Secret("authorization_code")},
               {"code", code_in(answer, issuer)},
               {"redirect_uri", Secret(redirect)},
               {"client_id", Secret(at.client_id)},
               {"code_verifier", login.verifier}};
  if (!at.client_secret.empty()) form.emplace_back("client_secret", at.client_secret);
  const auto given = issuer.ask(issuer.endpoint("token_endpoint", ""), form);
  if (!given.ok) Issuer::fail_with(given.document);
  return issuer.id_token(given.document, at.client_id, login.nonce);
}

}  // namespace flox
