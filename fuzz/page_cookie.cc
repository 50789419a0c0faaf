// What a browser brings to the pages: its cookies, and where it wants to go after signing in.
#include "server/identity/page_cookie.h"

#include "fuzz.h"

namespace flox::fuzz::of_page_cookie {

void one(std::string_view input) {
  const ServerRequest request{.method = "GET", .path = "/", .headers = {{"cookie", std::string(input)}}};
  const std::string cookie = server::session_cookie(request, server::secure_cookie_name);
  require(cookie.size() <= input.size(), "a cookie is no longer than its field");
  for (const std::string_view text : {std::string_view(cookie), input})
    if (const auto login = server::PendingLogin::parse(text)) {
      require(server::local_address(login->to) == login->to, "a login leads to an address of the catalog");
      const auto again = server::PendingLogin::parse(login->to_cookie());
      require(again && again->to == login->to && again->login.state.equals(login->login.state.reveal()),
              "a login is read as it was written");
    }
  const std::string address = server::local_address(input);
  require(address.starts_with('/') && !address.starts_with("//") && address.size() <= 1000,
          "an address is one of the catalog");
  for (const char c : address) require(c > 0x20 && c < 0x7F && c != '\\', "an address is one of a header");
}

}  // namespace flox::fuzz::of_page_cookie
