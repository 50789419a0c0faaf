#include "catalog/known_answers.h"

namespace flox::catalog {
namespace {

constexpr size_t largest_known = 1 << 20;  // bytes
constexpr size_t most_known_bytes = 4 << 20;
constexpr const char* tag_field = "etag";

}  // namespace

void KnownAnswers::ask_for_changes(HttpRequest& request) const {
  if (request.method != "GET") return;
  if (const auto found = known_.find(request.url); found != known_.end())
    request.headers.emplace_back("If-None-Match", found->second.headers.at(tag_field));
}

HttpResponse KnownAnswers::answer_to(const HttpRequest& request, HttpResponse response) {
  if (request.method != "GET" || response.is_foreign) return response;
  const auto found = known_.find(request.url);
  if (response.status == 304 && found != known_.end()) return found->second;
  if (found != known_.end()) {
    bytes_ -= found->second.body.size();
    known_.erase(found);
  }
  if (response.status != 200 || !response.headers.contains(tag_field) || response.body.size() > largest_known)
    return response;
  if (bytes_ + response.body.size() > most_known_bytes) {
    known_.clear();
    bytes_ = 0;
  }
  bytes_ += response.body.size();
  known_.emplace(request.url, response);
  return response;
}

}  // namespace flox::catalog
