// The binary cache: /cache/FILE.
#include "base/error.h"
#include "nix/cache_layout.h"
#include "server/api/conditional.h"
#include "server/api/resources.h"

namespace flox::server {
namespace {

// A NAR is named by its own hash, so its address is its entity tag.
std::map<std::string, std::string> headers_of_nar(const ServerRequest& request, std::string_view name) {
  return {{"Cache-Control", immutable_for(request)},
          {"ETag", fmt::format("\"{}\"", name.substr(nix::nar_directory.size()))}};
}

ServerResponse answer_with(ApiContext& context, const ServerRequest& request, std::string_view name,
                           HotFiles::File file) {
  ServerResponse response{.content_type = std::string(nix::media_type_of(name)),
                          .shared_body = std::move(file.text),
                          .shared_file = std::move(file.opened)};
  if (name.starts_with(nix::nar_directory)) {
    response.headers = headers_of_nar(request, name);
    // Who loses the connection goes on from there only if this was said.
    if (response.shared_file) response.headers["Accept-Ranges"] = "bytes";
    if (request.method == "GET") context.metrics.nars_served.Increment();
  }
  return response;
}

ServerResponse download(ApiContext& context, const Call& call) {
  const std::string name = call.parameter("file");
  const auto missing = [&] { fail(ErrorKind::not_found, "the cache has no {}", name.substr(0, 200)); };
  if (!context.cache.is_name(name)) missing();
  const Visibility& visibility = context.accounts.visibility;
  const uint64_t changes = context.cache.changes();
  const bool is_everyones = visibility.is_everyones(name);
  if (!is_everyones && !Visibility::CallersCache(visibility, call.caller()).may_read(name)) missing();
  if (auto text = context.cache.small_file(name, is_everyones ? std::optional(changes) : std::nullopt))
    return answer_with(context, call.request(), name, {.text = std::move(text), .opened = {}});
  auto file = context.cache.find(name);
  if (!file) missing();
  const bool is_nar = name.starts_with(nix::nar_directory);
  const bool is_get = call.request().method == "GET";
  // The whole of it: of a part the server looks at the file itself.
  if (is_nar && is_everyones && file->file && !call.request().headers.contains("range"))
    if (auto opened = context.cache.open(name, *file->file, changes))
      return answer_with(context, call.request(), name, {.text = {}, .opened = std::move(opened)});
  if (is_get && is_nar) context.metrics.nars_served.Increment();
  ServerResponse response{.content_type = std::string(nix::media_type_of(name))};
  if (is_nar) response.headers = headers_of_nar(call.request(), name);
  if (file->file) {
    response.body_file = std::move(*file->file);
  } else if (is_get && is_nar && !file->url.empty()) {
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

std::vector<nix::NarInfo> files_here(ApiContext& context, const Caller& caller,
                                     const nix::StorePathSet& paths) {
  const Visibility::CallersCache access(context.accounts.visibility, caller);
  return context.cache.closure(context.cache.among(paths, access), access);
}

nix::StorePathSet paths_of(const env::Lockfile& lock) {
  nix::StorePathSet paths;
  for (const auto& package : lock.packages) paths.merge(package.store_paths());
  return paths;
}

std::optional<ServerResponse> hot_file(ApiContext& context, const ServerRequest& request) {
  constexpr std::string_view place = "/cache/";
  // Who sends a token has its use noted, and who names a condition has it looked at, by the handlers.
  for (const char* field : {"authorization", "if-none-match", "if-modified-since", "range"})
    if (request.headers.contains(field)) return std::nullopt;
  if (!request.path.starts_with(place)) return std::nullopt;
  const std::string_view name = std::string_view(request.path).substr(place.size());
  auto file = context.cache.hot_file(name);
  if (!file) return std::nullopt;
  ServerResponse response = answer_with(context, request, name, std::move(file));
  describe_keeping(request, response);
  return response;
}

void add_cache_routes(Router& router, ApiContext& context) {
  router.add("GET", "/cache/{file...}", Scope::anyone, no_body(),
             [&](const Call& call) { return download(context, call); });
  router.add("PUT", "/cache/{file...}", Scope::publish,
             upload_body([&](const Call& call) { return context.cache.begin(call.parameter("file")); }),
             [&](const Call& call) { return upload(context, call); });
}

}  // namespace flox::server
