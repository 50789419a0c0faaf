#include "server/pages/frame.h"

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/net/server/http_message.h"
#include "server/pages/style.h"

namespace flox::server {
namespace {

// No script at all, and nothing from elsewhere: what slips into a page in spite of Html does nothing there.
constexpr const char* security_policy =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'";

std::string digest_of(std::string_view text) { return to_hex(bytes_of(sha256(text)).substr(0, 16)); }

struct Asset {
  std::string name;  // with its digest, so that it may be kept for ever
  std::string content_type;
  std::string_view content;
};

const Asset& style_asset() {
  static const Asset asset{.name = "style-" + digest_of(style_sheet()) + ".css",
                           .content_type = "text/css",
                           .content = style_sheet()};
  return asset;
}
const Asset& icon_asset() {
  static const Asset asset{
      .name = "icon-" + digest_of(icon()) + ".svg", .content_type = "image/svg+xml", .content = icon()};
  return asset;
}

Address sign_in_address(const Visitor& visitor) { return Address({"login"}).with("to", visitor.here.text()); }

Html nav_link(const char* text, const Address& address, bool is_here) {
  if (is_here) return el("a", {Attribute::href(address), {"aria-current", "page"}}, text);
  return el("a", {Attribute::href(address)}, text);
}

// Who has signed in, and the way out or in.
Html session(const Visitor& visitor) {
  if (!visitor.user.empty())
    return el("form", {{"class", "session"}, {"method", "post"}, Attribute::action(Address({"logout"}))},
              el("span", {}, visitor.user), el("button", {{"type", "submit"}}, "Sign out"));
  if (!visitor.may_sign_in) return {};
  return el("p", {{"class", "session"}}, el("a", {Attribute::href(sign_in_address(visitor))}, "Sign in"));
}

Html header(Section section, const Visitor& visitor) {
  return el("header", {{"class", "top"}},
            el("div", {{"class", "wide"}},
               el("a", {{"class", "brand"}, Attribute::href(Address({}))}, el("span", {{"class", "mark"}}),
                  "Catalog"),
               el("nav", {{"aria-label", "Catalog"}},
                  nav_link("Packages", Address({}), section == Section::packages),
                  nav_link("Environments", Address({"environments"}), section == Section::environments),
                  nav_link("Status", Address({"status"}), section == Section::status)),
               session(visitor)));
}

Html footer(const Visitor& visitor) {
  Html text = "flox-catalog " FLOX_VERSION ". ";
  if (!visitor.user.empty()) {
    text += "These pages show what is public, and what you may read.";
  } else if (visitor.may_sign_in) {
    text += "These pages show what is public. ";
    text += el("a", {Attribute::href(sign_in_address(visitor))}, "Sign in");
    text += " to see what else you may read.";
  } else {
    text += "These pages show what is public. Sign in with ";
    text += el("code", {}, "flox auth login");
    text += " to see what is private on the command line.";
  }
  return el("footer", {{"class", "end"}}, el("div", {{"class", "wide"}}, el("p", {}, text)));
}

}  // namespace

ServerResponse for_browsers(ServerResponse response) {
  auto& headers = response.headers;
  headers["Content-Security-Policy"] = security_policy;
  headers["X-Content-Type-Options"] = "nosniff";
  headers["X-Frame-Options"] = "DENY";
  // Not no-referrer: a form of such a page is sent with "Origin: null", so that nobody could sign out.
  headers["Referrer-Policy"] = "same-origin";
  headers["Cross-Origin-Opener-Policy"] = "same-origin";
  headers["Cross-Origin-Resource-Policy"] = "same-origin";
  headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";
  if (response.status != 200) headers["Cache-Control"] = "no-store";
  return response;
}

ServerResponse answer(const WebPage& page, const Visitor& visitor) {
  const Html document =
      el("html", {{"lang", "en"}},
         el("head", {}, el("meta", {{"charset", "utf-8"}}), el("title", {}, page.title, " · Catalog"),
            el("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}}),
            el("meta", {{"name", "color-scheme"}, {"content", "light dark"}}),
            el("link", {{"rel", "stylesheet"}, Attribute::href(style_address())}),
            el("link", {{"rel", "icon"}, {"type", "image/svg+xml"}, Attribute::href(icon_address())})),
         el("body", {},
            el("a", {{"class", "skip"}, Attribute::href(Address::within("main"))}, "Skip to the content"),
            header(page.section, visitor),
            el("main", {{"id", "main"}, {"tabindex", "-1"}, {"class", "wide"}}, page.main), footer(visitor)));
  return for_browsers(
      {.status = page.status, .content_type = "text/html; charset=utf-8", .body = Html::document(document)});
}

ServerResponse answer_or_page(const Visitor& visitor, const Call& call,
                              const std::function<ServerResponse()>& make) {
  const auto failed = [&](int status, const char* title, const std::string& text, const std::string& advice) {
    Html main = el("h1", {}, title);
    main += el("p", {{"class", "lead"}}, text);
    if (!advice.empty()) main += el("p", {}, advice);
    if (status == 404 && visitor.may_sign_in && visitor.user.empty())
      main += el("p", {}, "If it is private, ",
                 el("a", {Attribute::href(sign_in_address(visitor))}, "sign in"), " to see it.");
    main += el("p", {}, el("a", {Attribute::href(Address({}))}, "Search the catalog"));
    ServerResponse response = answer({.title = title, .main = std::move(main), .status = status}, visitor);
    if (status == 503) response.headers["Retry-After"] = "1";
    return response;
  };
  try {
    return make();
  } catch (const Error& error) {
    const int status = status_of(error);
    if (status < 500)
      return failed(status, status == 404 ? "Not found" : "This cannot be shown", error.what(),
                    error.advice());
    log::warning("the page {}: {}", call.request().path.substr(0, 200), error.what());
    return failed(status, status == 503 ? "Not available now" : "Something went wrong",
                  "The catalog could not make this page. Its log says why.", "");
  } catch (const std::exception& exception) {
    log::warning("the page {}: {}", call.request().path.substr(0, 200), message_of(exception));
    return failed(500, "Something went wrong", "The catalog could not make this page. Its log says why.", "");
  }
}

Address style_address() { return Address({"assets", style_asset().name}); }
Address icon_address() { return Address({"assets", icon_asset().name}); }

void add_asset_routes(Router& router) {
  for (const Asset* asset : {&style_asset(), &icon_asset()})
    router.add("GET", "/assets/" + asset->name, Scope::anyone, no_body(), [asset](const Call&) {
      return for_browsers({.content_type = asset->content_type,
                           .body = std::string(asset->content),
                           .headers = {{"Cache-Control", "public, max-age=31536000, immutable"}}});
    });
}

}  // namespace flox::server
