// netrc files.
#include "base/net/netrc.h"

#include "fuzz.h"

namespace flox::fuzz::of_netrc {

void one(std::string_view input) {
  for (const char* user : {"", "u"}) {
    const auto login = login_in_netrc(input, "h", user);
    if (!login) continue;
    require(!login->user.empty() || !login->password.empty(), "a login is not empty");
    require(*user == '\0' || login->user == user, "a login is that of the user who was asked for");
  }
}

}  // namespace flox::fuzz::of_netrc
