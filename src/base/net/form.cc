#include "base/net/form.h"

#include <fmt/format.h>

namespace flox {

HttpRequest form_request(std::string url, const Form& form, BodyLimit max_body) {
  std::string body;
  for (const auto& [name, value] : form)
    body += fmt::format("{}{}={}", body.empty() ? "" : "&", url_encode(name), url_encode(value.reveal()));
  return {.method = "POST",
          .url = std::move(url),
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body = std::move(body),
          .max_body = max_body};
}

}  // namespace flox
