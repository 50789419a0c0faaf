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
  const bool is_get = call.request().method == "GET";
  const bool is_nar = name.starts_with(nix::nar_directory);
  if (is_get && is_nar) context.metrics.nars_served.Increment();
  ServerResponse response{.content_type = std::string(nix::media_type_of(name))};
  if (file->file) {
    response.body_file = std::move(*file->file);
  } else if (is_get && is_nar && !file->url.empty()) {
    // Only NARs: a narinfo is so small that a second request would cost more than it.
    response.status = 307;
    response.headers["Location"] = std::move(file->url);
    response.headers["Cache-Control"] = "no-store";  // the address is good for an hour
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

std::vector<nix::NarInfo> files_here(ApiContext& context, const Caller& caller,
                                     const nix::StorePathSet& paths) {
  const Visibility::CallersCache access(context.accounts.visibility, caller);
  nix::StorePathSet here;
  for (const auto& path : paths)
    if (context.cache.narinfo(path) && access.may_read(nix::narinfo_name(path))) here.insert(path);
  return context.cache.closure(here, access);
}

std::vector<std::string> digests_of(const std::vector<nix::NarInfo>& closure) {
  std::vector<std::string> digests;
  digests.reserve(closure.size());
  for (const auto& narinfo : closure) digests.emplace_back(narinfo.info.path.digest());
  return digests;
}

void add_cache_routes(Router& router, ApiContext& context) {
  router.add("GET", "/cache/{file...}", Scope::anyone, no_body(),
             [&](const Call& call) { return download(context, call); });
  router.add("PUT", "/cache/{file...}", Scope::publish,
             upload_body([&](const Call& call) { return context.cache.begin(call.parameter("file")); }),
             [&](const Call& call) { return upload(context, call); });
}

}  // namespace flox::server
