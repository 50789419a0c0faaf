#include "store/cache/cache_server.h"

#include <algorithm>

#include "base/error.h"
#include "base/net/server/http_range.h"
#include "nix/base32.h"
#include "nix/cache_info.h"
#include "nix/cache_layout.h"
#include "nix/listing.h"
#include "nix/nar.h"
#include "nix/narinfo.h"
#include "store/local/temp_roots.h"

namespace flox::store {
namespace {

// Thrown to leave the writer of a NAR of which the rest is not wanted.
struct Enough {};

void write_part(const std::filesystem::path& path, const BodyRange& part, const ByteSink& sink) {
  uint64_t left = part.size;
  try {
    nix::write_nar(
        path,
        [&](std::string_view piece) {
          piece = piece.substr(0, left);
          sink(piece);
          left -= piece.size();
          if (left == 0) throw Enough();
        },
        part.first);
  } catch (const Enough&) {
  }
}

[[noreturn]] void fail_absent(std::string_view digest) {
  fail(ErrorKind::not_found, "no path with the digest {} is in the store", digest);
}

}  // namespace

CacheServer::CacheServer(const LocalStore& store, CacheServerOptions options)
    : store_(store), options_(std::move(options)) {
  make_compressor(options_.compression, 0, 1, [](std::string_view) {});  // whether there is one
}

std::string CacheServer::nar_name(const PathInfo& info) const {
  return fmt::format("{}-{}{}", info.path.digest(), nix::to_base32(bytes_of(info.nar_hash)),
                     nix::nar_suffix(options_.compression.method).value());
}

ServerResponse CacheServer::answer(const ServerRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD")
    fail(ErrorKind::invalid_input, "this cache can be read only");
  std::string_view name = request.path;
  if (name.starts_with('/')) name.remove_prefix(1);
  if (name == nix::cache_info_name)
    return {.content_type = std::string(nix::media_type_of(name)),
            .body = nix::CacheInfo{.want_mass_query = true, .priority = options_.priority}.to_string()};
  if (name.starts_with(nix::nar_directory)) return nar(request, name.substr(nix::nar_directory.size()));
  if (const auto digest = nix::digest_of_narinfo_name(name)) return narinfo(*digest);
  if (const auto digest = nix::digest_of_listing_name(name)) return listing(*digest);
  fail(ErrorKind::not_found, "a binary cache has no '{}'", name.substr(0, 200));
}

PathInfo CacheServer::find(std::string_view digest) const {
  if (!nix::is_digest(digest))
    fail(ErrorKind::not_found, "'{}' is not the digest of a store path", digest.substr(0, 100));
  const auto path = store_.find(digest);
  auto info = path ? store_.query(*path) : std::nullopt;
  if (!info) fail_absent(digest);
  return std::move(*info);
}

ServerResponse CacheServer::narinfo(std::string_view digest) const {
  nix::NarInfo narinfo{.info = find(digest), .url = {}, .compression = options_.compression.method};
  if (options_.shows && !options_.shows(narinfo.info)) fail_absent(digest);
  narinfo.url = std::string(nix::nar_directory) + nar_name(narinfo.info);
  if (narinfo.compression == "none") {
    narinfo.file_hash = narinfo.info.nar_hash;
    narinfo.file_size = narinfo.info.nar_size;
  }
  if (options_.key) nix::sign(narinfo.info, *options_.key);
  return {.content_type = std::string(nix::media_type_of(nix::narinfo_name(narinfo.info.path))),
          .body = narinfo.to_string()};
}

ServerResponse CacheServer::nar(const ServerRequest& request, std::string_view name) const {
  // Kept off the collector until it is sent; a server that lives long must not keep all that it ever served.
  auto roots = std::make_shared<TempRoots>(store_.state_directory());
  const PathInfo info = find(name.substr(0, nix::digest_length));
  roots->add({info.path});
  if (name != nar_name(info) || !store_.is_valid(info.path))
    fail(ErrorKind::not_found, "the store has no NAR '{}'", name.substr(0, 200));
  ServerResponse response{.content_type = std::string(nix::media_type_of(request.path))};
  const std::filesystem::path path = store_.real_path(info.path);
  if (options_.compression.method != "none") {
    response.stream = [path, roots, how = options_.compression, size = info.nar_size](const ByteSink& sink) {
      const auto compressor = make_compressor(how, size, 1, sink);
      nix::write_nar(path, [&](std::string_view piece) { compressor->feed(piece); });
      compressor->finish();
    };
    return response;
  }
  const auto part = choose_range(request, info.nar_size, nix::to_base32(bytes_of(info.nar_hash)), response);
  if (!part) return response;
  response.stream = [path, roots, part = *part](const ByteSink& sink) { write_part(path, part, sink); };
  response.stream_size = part->size;
  return response;
}

ServerResponse CacheServer::listing(std::string_view digest) const {
  // Of a large tree it takes a while and much memory.
  const std::unique_lock one_at_a_time(listing_mutex_, std::try_to_lock);
  if (!one_at_a_time)
    throw StatusError(503, ErrorKind::unavailable, "another listing is being made", "Try again in a moment.");
  const StorePath path = find(digest).path;
  return {.content_type = std::string(nix::media_type_of(nix::listing_name(path))),
          .body = nix::list_tree(store_.real_path(path)).to_json()};
}

}  // namespace flox::store
