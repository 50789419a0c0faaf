#include "package/imported/downloads.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"

namespace flox::package {
namespace {

namespace fs = std::filesystem;

constexpr auto no_limit = std::chrono::milliseconds(0);  // a stalled transfer ends by itself

nix::Hash hash_of_file(const fs::path& path, nix::HashAlgorithm algorithm) {
  nix::Hasher hasher(algorithm);
  const Fd fd = open_file(path.string(), O_RDONLY | O_NOFOLLOW);
  std::string buffer(1 << 18, '\0');
  while (const size_t size = read_some(fd.get(), buffer.data(), buffer.size()))
    hasher.update(std::string_view(buffer).substr(0, size));
  return hasher.finish();
}

void require_found(const HttpResponse& response, const std::string& url) {
  if (response.status == 404 || response.status == 410)
    fail(ErrorKind::not_found, "{} does not exist", hide_login(url));
  if (!response.ok()) fail(ErrorKind::unavailable, "{} answers {}", hide_login(url), response.status);
}

}  // namespace

Downloads::Downloads(std::string_view cache, std::string_view index)
    : directory_(user_cache_directory(cache)), index_(HttpUrl::parse(index)) {
  fs::create_directories(directory_);
}

void Downloads::require_lead(const std::string& url) const {
  const HttpUrl target = HttpUrl::parse(url);
  if (target.origin() == index_.origin()) return;
  const auto to = network_of_host(target.host);
  if (to && !may_lead(network_of_host(index_.host).value_or(Network::internet), *to))
    fail(ErrorKind::untrusted, "{}: the index at {} may not lead to a {} address", hide_login(url),
         index_.host, to_string(*to));
}

fs::path Downloads::file(const std::string& url, const nix::Hash& hash, uint64_t limit) {
  const fs::path place = directory_ / fmt::format("{}-{}", nix::to_string(hash.algorithm), hash.to_hex());
  std::error_code none;
  if (fs::is_regular_file(fs::symlink_status(place, none)) && hash_of_file(place, hash.algorithm) == hash)
    return place;
  require_lead(url);
  const TempDir work(".incoming-", directory_);
  const fs::path incoming = work.path() / "file";
  nix::Hasher hasher(hash.algorithm);
  {
    const Fd fd = open_file(incoming.string(), O_WRONLY | O_CREAT | O_EXCL, 0644);
    require_found(client_.stream({.url = url, .timeout = no_limit, .max_body = BodyLimit(limit)},
                                 [&](std::string_view piece) {
                                   hasher.update(piece);
                                   write_all(fd.get(), piece);
                                 }),
                  url);
  }
  if (const nix::Hash found = hasher.finish(); found != hash)
    throw Error(ErrorKind::untrusted,
                fmt::format("{}: its {} is {} instead of {}, which the index says", hide_login(url),
                            nix::to_string(hash.algorithm), found.to_hex(), hash.to_hex()),
                "Do not use it. Tell who runs the index.");
  fs::rename(incoming, place);
  return place;
}

std::string Downloads::text(const std::string& url, const std::string& accept, uint64_t limit) {
  HttpResponse response =
      client_.send({.url = url, .headers = {{"Accept", accept}}, .max_body = BodyLimit(limit)});
  require_found(response, url);
  const auto type = response.headers.find("content-type");
  const std::string_view is = type == response.headers.end()
                                  ? std::string_view()
                                  : std::string_view(type->second).substr(0, type->second.find(';'));
  // Servers that know one format only may call it by its general name.
  if (is != accept && is != "application/json")
    throw Error(ErrorKind::invalid_input, fmt::format("{} does not answer with {}", hide_login(url), accept),
                "Name an index that speaks this format.");
  return std::move(response.body);
}

}  // namespace flox::package
