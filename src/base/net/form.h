// Requests with a form (application/x-www-form-urlencoded), as OAuth 2.0 has them. Values may be secrets.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/net/http_client.h"

namespace flox {

using Form = std::vector<std::pair<std::string, Secret>>;

// A POST of the form.
HttpRequest form_request(std::string url, const Form& form, BodyLimit max_body);

}  // namespace flox
