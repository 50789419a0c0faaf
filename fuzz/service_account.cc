// Service accounts' tokens, which a pod may write itself, and the files of keys, which only the operator
// writes. No token is believed that none of the keys has signed.
#include "node/policy/service_account.h"

#include "base/os/file.h"
#include "fuzz.h"

namespace flox::fuzz::of_service_account {
namespace {

constexpr const char* key = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgE5xpMKvIM29HYIV+60ZWtVQsdIk
bEJmHEWW4oEE20wdLO16kNZeQJfvIFu3S1ixz6q3p03VMf8dYkeGudT86g==
-----END PUBLIC KEY-----
)";

policy::ServiceAccountKeys keys() {
  const TempDir directory("flox-fuzz-");
  const fs::path file = directory.path() / "sa.pub";
  write_file(file, key);
  return policy::ServiceAccountKeys({file.string()});
}

}  // namespace

void one(std::string_view input) {
  static const policy::ServiceAccountKeys known = keys();
  require(!accepts(
              [&] {
                known.account_in(input, {"shop", "web-1", "1"}, 1'800'000'000);
              },
              {ErrorKind::invalid_input, ErrorKind::untrusted}),
          "what no key has signed says nothing");
}

}  // namespace flox::fuzz::of_service_account
