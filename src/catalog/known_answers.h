// Answers of a catalog that need not be sent again while they are what they were (RFC 9110, section 13).
#pragma once

#include <map>
#include <string>

#include "base/net/http_client.h"

namespace flox::catalog {

// One thread at a time. Keeps answers of at most 1 MiB, 4 MiB in all; beyond that it begins anew.
class KnownAnswers {
 public:
  // Adds If-None-Match to a request whose answer is known.
  void ask_for_changes(HttpRequest& request) const;
  // The answer as it would be without that field: of 304 the known one. Remembers it if it has an entity tag.
  HttpResponse answer_to(const HttpRequest& request, HttpResponse response);

 private:
  std::map<std::string, HttpResponse> known_;  // by URL
  size_t bytes_ = 0;
};

}  // namespace flox::catalog
