#include "server/files/s3_store.h"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <thread>

#include "base/data/xml.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/cache_layout.h"
#include "server/files/s3_answers.h"

namespace flox::server {
namespace {

constexpr int attempts = 2;
constexpr auto first_pause = std::chrono::milliseconds(200);
constexpr uint64_t part_size = 8 << 20;       // bytes, in memory for each upload
constexpr uint64_t most_parts = 10'000;       // S3's limit
constexpr uint64_t largest_answer = 4 << 20;  // of S3's own documents
constexpr size_t at_once = 32;                // requests of one call
constexpr auto longest_stall = std::chrono::seconds(10);
constexpr auto presigned_for = std::chrono::hours(1);

bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

std::string header_of(const HttpResponse& response, const char* name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? std::string() : found->second;
}

std::optional<ObjectStatus> status_of(const HttpResponse& response) {
  ObjectStatus status;
  const std::string length = header_of(response, "content-length");
  std::from_chars(length.data(), length.data() + length.size(), status.size);
  return status;
}

// s3:// URLs of other caches have more settings, which would have no effect here.
void check_settings(std::string_view url) {
  const size_t question = url.find('?');
  std::string_view query = question == std::string_view::npos ? std::string_view() : url.substr(question + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::string_view name = pair.substr(0, pair.find('='));
    if (name != "region" && name != "endpoint" && name != "scheme" && name != "profile")
      throw Error(ErrorKind::invalid_input, fmt::format("--files: '{}' is not a setting of a bucket", name),
                  "Use region, endpoint, scheme and profile.");
  }
}

std::pair<std::string, std::string> split(const std::string& rest) {
  const size_t slash = rest.find('/');
  if (slash == std::string::npos) return {rest, ""};
  return {rest.substr(0, slash), rest.substr(slash + 1) + "/"};
}

store::CacheUrl parsed(const std::string& url) {
  return in_context("--files", [&] {
    auto parsed = store::CacheUrl::parse(url);
    if (parsed.scheme != "s3")
      throw Error(ErrorKind::invalid_input, fmt::format("'{}' is not a bucket", parsed.text),
                  "Pass --files s3://BUCKET/PREFIX, or nothing for a directory.");
    check_settings(url);
    return parsed;
  });
}

}  // namespace

Presign presign_of(std::string_view text) {
  for (const auto& [name, presign] : {std::pair<std::string_view, Presign>{"auto", Presign::automatic},
                                      {"always", Presign::always},
                                      {"never", Presign::never}})
    if (text == name) return presign;
  throw Error(ErrorKind::invalid_input, fmt::format("--presign: '{}' is not known", text),
              "Use auto, always or never.");
}

S3Store::S3Store(const std::string& url, const std::filesystem::path& spool, Presign presign)
    : spool_path_(spool), spool_(open_or_make(spool)) {
  // Each start empties its spool.
  if (::flock(spool_.fd(), LOCK_EX | LOCK_NB) != 0)
    throw Error(ErrorKind::conflict, fmt::format("another flox-catalog uses {}", spool.string()),
                "Pass each catalog a --data of its own.");
  const store::CacheUrl location = parsed(url);
  const auto [bucket, prefix] = split(location.rest);
  name_ = location.text;
  prefix_ = prefix;
  bucket_ = store::find_s3_bucket(location, bucket);
  if (!bucket_.credentials)
    throw Error(ErrorKind::not_found, fmt::format("{}: there are no keys to write to it", name_),
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile: profile=NAME.");
  const uint16_t port = HttpUrl::parse(bucket_.base_url).port;
  presign_ = presign == Presign::always || (presign == Presign::automatic && (port == 443 || port == 80));
}

std::string S3Store::url_of(const std::string& name, std::string_view query) const {
  return bucket_.base_url + "/" + url_encode(prefix_ + name, true) + std::string(query);
}

HttpRequest S3Store::request(std::string method, std::string url, uint64_t most) const {
  return {.method = std::move(method),
          .url = std::move(url),
          .timeout = std::chrono::milliseconds(0),  // a large file takes as long as it moves
          .connect_timeout = std::chrono::seconds(5),
          .stall_timeout = longest_stall,
          .max_body = BodyLimit(most)};
}

// A server that does not answer keeps a thread waiting, of which there are few: for as long as that took,
// others do not try.
template <typename Exchange>
auto S3Store::guarded(Exchange&& exchange) const {
  const auto begin = std::chrono::steady_clock::now();
  {
    const std::scoped_lock lock(mutex_);
    if (begin < down_until_) fail(ErrorKind::unavailable, "{}: it did not answer a moment ago", name_);
  }
  try {
    return exchange();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable) {
      const auto end = std::chrono::steady_clock::now();
      const std::scoped_lock lock(mutex_);
      down_until_ =
          std::max(down_until_, end + std::min<std::chrono::nanoseconds>(end - begin, longest_stall));
    }
    throw error.with_context(name_);
  }
}

// Every attempt is signed anew: a signature holds for fifteen minutes.
HttpResponse S3Store::send(HttpRequest request, const std::string& body_hash) const {
  std::unique_ptr<HttpClient> client;
  {
    const std::scoped_lock lock(mutex_);
    if (!clients_.empty()) {
      client = std::move(clients_.back());
      clients_.pop_back();
    }
  }
  if (!client) client = std::make_unique<HttpClient>();
  HttpResponse response = guarded([&] {
    for (int attempt = 1;; ++attempt) {
      HttpRequest signed_request = request;
      aws::sign(signed_request, *bucket_.credentials, bucket_.scope, Clock::now(), body_hash);
      const auto begin = std::chrono::steady_clock::now();
      try {
        HttpResponse answer = client->send(signed_request);
        if (attempt == attempts || !may_pass(answer.status)) return answer;
      } catch (const Error& error) {
        const bool was_slow = std::chrono::steady_clock::now() - begin > longest_stall / 2;
        if (attempt == attempts || was_slow || error.kind() != ErrorKind::unavailable) throw;
      }
      std::this_thread::sleep_for(first_pause);
    }
  });
  const std::scoped_lock lock(mutex_);
  clients_.push_back(std::move(client));
  return response;
}

std::shared_ptr<HttpTransfer> S3Store::start(HttpRequest request, size_t buffer) const {
  aws::sign(request, *bucket_.credentials, bucket_.scope, Clock::now());
  return HttpPool::shared().start(
      std::move(request),
      {.buffer = buffer,
       .retry = {.attempts = attempts, .first_pause = first_pause, .longest_pause = std::chrono::seconds(1)},
       .on_done = {}});
}

void S3Store::fail_answer(const HttpRequest& request, const HttpResponse& response) const {
  const std::string why = parse_s3_error(response.body);
  throw Error(ErrorKind::unavailable,
              fmt::format("{}: {} {}: status {}{}{}", name_, request.method, printable_url(request.url),
                          response.status, why.empty() ? "" : ": ", why),
              "Check the bucket, its keys and its policy.");
}

void S3Store::prepare(const std::string& name, const std::string& text) {
  const auto known = read(name, text.size() + (4 << 10));
  if (!known || known->text != text) replace(name, text, known ? known->version : "");
  for (const char* version : {"", "\"00000000000000000000000000000000\""})
    if (replace(name, text, version))
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{}: the server ignores {}, so two catalogs could lose each other's signatures",
                              name_, *version == '\0' ? "If-None-Match" : "If-Match"),
                  "Use a server with conditional writes (Amazon S3, MinIO, Ceph from Squid on).");
}

std::optional<ObjectStatus> S3Store::status(const std::string& name) const {
  const HttpRequest head = request("HEAD", url_of(name), 0);
  const HttpResponse response = send(head);
  if (response.status == 404) return std::nullopt;
  if (!response.ok()) fail_answer(head, response);
  return status_of(response);
}

std::optional<SmallObject> S3Store::read(const std::string& name, size_t most) const {
  const HttpRequest get = request("GET", url_of(name), most);
  const HttpResponse response = send(get);
  if (response.status == 404) return std::nullopt;
  if (!response.ok()) fail_answer(get, response);
  return SmallObject{.text = response.body, .version = header_of(response, "etag")};
}

std::vector<std::optional<ObjectStatus>> S3Store::statuses(const std::vector<std::string>& names) const {
  std::vector<std::optional<ObjectStatus>> result(names.size());
  for (size_t first = 0; first < names.size(); first += at_once) {
    const size_t end = std::min(first + at_once, names.size());
    std::vector<std::shared_ptr<HttpTransfer>> transfers;
    for (size_t i = first; i < end; ++i)
      transfers.push_back(start(request("HEAD", url_of(names[i]), 0), 1 << 10));
    for (size_t i = first; i < end; ++i) {
      const HttpResponse response = guarded([&] { return transfers[i - first]->response(); });
      if (response.status == 404) continue;
      if (!response.ok()) fail_answer(request("HEAD", url_of(names[i]), 0), response);
      result[i] = status_of(response);
    }
  }
  return result;
}

std::vector<std::optional<SmallObject>> S3Store::read_all(const std::vector<std::string>& names,
                                                          size_t most) const {
  std::vector<std::optional<SmallObject>> result(names.size());
  for (size_t first = 0; first < names.size(); first += at_once) {
    const size_t end = std::min(first + at_once, names.size());
    std::vector<std::shared_ptr<HttpTransfer>> transfers;
    for (size_t i = first; i < end; ++i)
      transfers.push_back(start(request("GET", url_of(names[i]), most), 64 << 10));
    for (size_t i = first; i < end; ++i) {
      SmallObject object;
      const HttpResponse response = guarded([&] {
        for (std::string piece; transfers[i - first]->read(piece);) object.text += piece;
        return transfers[i - first]->response();
      });
      if (response.status == 404) continue;
      if (!response.ok()) fail_answer(request("GET", url_of(names[i]), most), response);
      object.version = header_of(response, "etag");
      result[i] = std::move(object);
    }
  }
  return result;
}

void S3Store::stream(const std::string& name, const ByteSink& sink) const {
  const HttpRequest get = request("GET", url_of(name), UINT64_MAX);
  const auto transfer = start(get, 1 << 20);
  std::string piece;
  while (guarded([&] { return transfer->read(piece); })) sink(piece);
  const HttpResponse response = transfer->response();
  if (response.status == 404) fail(ErrorKind::not_found, "{} has no {}", name_, name);
  if (!response.ok()) fail_answer(get, response);
}

std::optional<ServedObject> S3Store::serve(const std::string& name) const {
  const auto found = status(name);
  if (!found) return std::nullopt;
  ServedObject served{.file = {}, .url = {}, .stream = {}, .size = found->size};
  if (presign_)
    served.url = aws::presign(url_of(name), *bucket_.credentials, bucket_.scope, Clock::now(), presigned_for);
  served.stream = [this, name](const ByteSink& sink) { stream(name, sink); };
  return served;
}

bool S3Store::put(const std::string& name, const SpooledFile& file) {
  if (file.size > largest_put) {
    put_in_parts(name, file);
    return false;
  }
  HttpRequest request = this->request("PUT", url_of(name), largest_answer);
  request.upload_file =
      file.name.empty() ? fmt::format("/proc/self/fd/{}", file.fd) : (spool_path_ / file.name).string();
  request.headers.emplace_back("Content-Type", nix::media_type_of(name));
  const HttpResponse response = send(request, to_hex(bytes_of(file.hash)));
  if (!response.ok()) fail_answer(request, response);
  return false;
}

// Nobody sees a part: the object appears once all are there and the last request says so.
void S3Store::put_in_parts(const std::string& name, const SpooledFile& file) {
  HttpRequest begin = request("POST", url_of(name, "?uploads"), largest_answer);
  begin.headers.emplace_back("Content-Type", nix::media_type_of(name));
  const HttpResponse begun = send(begin);
  if (!begun.ok()) fail_answer(begin, begun);
  const std::string id = url_encode(parse_s3_upload(begun.body));
  try {
    const uint64_t size = std::max(part_size, file.size / most_parts + 1);
    std::string list = "<CompleteMultipartUpload>";
    int number = 0;
    for (uint64_t at = 0; at < file.size; at += size) {
      HttpRequest part = request("PUT", url_of(name, fmt::format("?partNumber={}&uploadId={}", ++number, id)),
                                 largest_answer);
      part.body.resize(std::min(size, file.size - at));
      if (read_at(file.fd, part.body.data(), part.body.size(), at) < part.body.size())
        fail(ErrorKind::internal, "the upload of {} became shorter", name);
      const HttpResponse response = send(part);
      if (!response.ok()) fail_answer(part, response);
      list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number,
                          xml_escape(header_of(response, "etag")));
    }
    HttpRequest complete = request("POST", url_of(name, "?uploadId=" + id), largest_answer);
    complete.body = list + "</CompleteMultipartUpload>";
    const HttpResponse completed = send(complete);
    // S3 says 200 before it begins, and may then give an error.
    if (!completed.ok() || !parse_s3_error(completed.body).empty()) fail_answer(complete, completed);
  } catch (const Error&) {
    try {
      send(request("DELETE", url_of(name, "?uploadId=" + id), largest_answer));
    } catch (const Error&) {  // a rule of the bucket removes what is left (docs/how-to/run-a-catalog.md)
    }
    throw;
  }
}

bool S3Store::replace(const std::string& name, const std::string& text, const std::string& version) {
  HttpRequest put = request("PUT", url_of(name), largest_answer);
  put.body = text;
  put.headers.emplace_back("Content-Type", nix::media_type_of(name));
  if (version.empty())
    put.headers.emplace_back("If-None-Match", "*");
  else
    put.headers.emplace_back("If-Match", version);
  const HttpResponse response = send(put);
  // 409: another one writes just now. 404: what was to be replaced is gone.
  if (response.status == 412 || response.status == 409 || (response.status == 404 && !version.empty()))
    return false;
  if (!response.ok()) fail_answer(put, response);
  return true;
}

void S3Store::remove(const std::string& name) {
  const HttpRequest request = this->request("DELETE", url_of(name), largest_answer);
  const HttpResponse response = send(request);
  if (!response.ok() && response.status != 404) fail_answer(request, response);
}

void S3Store::list(const std::string& query, const Listed& take) const {
  for (std::string next;;) {
    std::string url = bucket_.base_url + "/?list-type=2" + query;
    if (!next.empty()) url += "&continuation-token=" + url_encode(next);
    const HttpRequest get = request("GET", url, largest_answer);
    const HttpResponse response = send(get);
    if (!response.ok()) fail_answer(get, response);
    const S3Listing listing = in_context(name_, [&] { return parse_s3_listing(response.body); });
    for (const auto& entry : listing.entries)
      if (entry.key.starts_with(prefix_))
        take(entry.key.substr(prefix_.size()), {.size = entry.size, .modified = entry.modified});
    if (listing.next.empty()) return;
    next = listing.next;
  }
}

void S3Store::list_nars(const Listed& take) const {
  list("&prefix=" + url_encode(prefix_ + std::string(nix::nar_directory)), take);
}

void S3Store::list_narinfos(const Listed& take) const {
  list("&prefix=" + url_encode(prefix_) + "&delimiter=%2F",
       [&](const std::string& name, const ObjectStatus& status) {
         if (nix::digest_of_narinfo_name(name)) take(name, status);
       });
}

void S3Store::check() const {
  if (!status(std::string(nix::cache_info_name)))
    fail(ErrorKind::unavailable, "{}: it has no {}", name_, nix::cache_info_name);
}

}  // namespace flox::server
