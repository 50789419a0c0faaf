// The binary cache: /cache/FILE.
#include "base/error.h"
#include "nix/cache_layout.h"
#include "server/api/resources.h"

namespace flox::server {
namespace {

ServerResponse download(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("file");
  auto file = context.cache.find(name);
  if (!file || !Visibility::CallersCache(context.accounts.visibility, call.caller()).may_read(name))
    fail(ErrorKind::not_found, "the cache has no {}", name.substr(0, 200));
  if (call.request().method == "GET" && name.starts_with(nix::nar_directory))
    context.metrics.nars_served.Increment();
  return {.content_type = std::string(nix::media_type_of(name)), .body_file = *file};
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
