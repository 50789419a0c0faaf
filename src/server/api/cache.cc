// The binary cache: /cache/FILE.
#include "base/error.h"
#include "nix/cache_layout.h"
#include "server/api/conditional.h"
#include "server/api/resources.h"

namespace flox::server {
namespace {

[[noreturn]] void not_here(const std::string& name) {
  fail(ErrorKind::not_found, "the cache has no {}", name.substr(0, 200));
}

// Whole, from memory: so small that one packet answers, and with an entity tag.
ServerResponse download_text(ApiContext& context, const Call& call, const std::string& name) {
  auto text = context.cache.text_of(name);
  if (!text || !Visibility::CallersCache(context.accounts.visibility, call.caller()).may_read(name))
    not_here(name);
  return {.content_type = std::string(nix::media_type_of(name)), .body = std::move(*text)};
}

ServerResponse download(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("file");
  if (!name.starts_with(nix::nar_directory)) return download_text(context, call, name);
  auto file = context.cache.find(name);
  if (!file || !Visibility::CallersCache(context.accounts.visibility, call.caller()).may_read(name))
    not_here(name);
  const bool is_get = call.request().method == "GET";
  if (is_get) context.metrics.nars_served.Increment();
  ServerResponse response{
      .content_type = std::string(nix::media_type_of(name)),
      .headers = {{"Cache-Control", immutable_for(call.request())},
                  {"ETag", '"' + name.substr(nix::nar_directory.size()) + '"'}}};  // named by its own hash
  if (file->file) {
    response.body_file = std::move(*file->file);
  } else if (is_get && !file->url.empty()) {
    // Only NARs: a narinfo is so small that a second request would cost more than it.
    response.status = 307;
    // The address is good for an hour.
    response.headers = {{"Location", std::move(file->url)}, {"Cache-Control", "no-store"}};
  } else {
    response.stream = std::move(file->stream);
    response.stream_size = file->size;
  }
  return response;
}

ServerResponse upload(ApiContext& context, const Call& call) {
  try {
    context.cache.accept(call.parameter("file"), *call.request().upload,
                         Visibility::CallersCache(context.accounts.visibility, call.caller()));
  } catch (const Error&) {
    context.metrics.uploads_refused.Increment();
    throw;
  }
  return {.status = 201};
}

}  // namespace

void publish_files_of(ApiContext& context, const Caller& caller, const Holding& holding,
                      const nix::StorePathSet& paths) {
  const Visibility::CallersCache access(context.accounts.visibility, caller);
  nix::StorePathSet here;
  for (const auto& path : paths)
    if (context.cache.narinfo(path) && access.may_read(nix::narinfo_name(path))) here.insert(path);
  if (!here.empty())
    context.accounts.visibility.publish_files(caller, holding, context.cache.closure(here, access));
}

void add_cache_routes(Router& router, ApiContext& context) {
  router.add("GET", "/cache/{file...}", Scope::anyone, no_body(),
             [&](const Call& call) { return download(context, call); });
  router.add("PUT", "/cache/{file...}", Scope::publish,
             upload_body([&](const Call& call) { return context.cache.begin(call.parameter("file")); }),
             [&](const Call& call) { return upload(context, call); });
}

}  // namespace flox::server
