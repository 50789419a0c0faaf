#include "server/records/nars.h"

#include <algorithm>
#include <thread>

#include "base/data/bytes.h"
#include "base/error.h"

namespace flox::server {
namespace {

constexpr int64_t longest_removal = 600;  // seconds; a catalog that has not ended it by then has died

int64_t seconds(NarRecords::Time time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

Sha256Digest digest_of(const std::string& hex) {
  const std::string bytes = from_hex(hex);
  Sha256Digest digest{};
  if (bytes.size() != digest.size()) fail(ErrorKind::internal, "a recorded hash has {} bytes", bytes.size());
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

bool begin_removal_in(Session& session, const std::string& file, NarRecords::Time before,
                      NarRecords::Time now) {
  const auto known = session.row<int64_t, int64_t, int64_t>(
      "select used_at, going_since, is_named from nars where file = $1", {file});
  if (known && (std::get<0>(*known) >= seconds(before) ||
                std::get<1>(*known) > seconds(now) - longest_removal || std::get<2>(*known) != 0))
    return false;
  session.run(
      "insert into nars (file, file_size, used_at, going_since, is_named, nar_hash, nar_size) "
      "values ($1, 0, 0, $2, 0, '', 0) on conflict (file) do update set going_since = excluded.going_since",
      {file, seconds(now)});
  return true;
}

// The file is in the cache no more.
void forget_nar(Session& session, const std::string& file) {
  session.run("delete from cache_readers where name = $1", {file});
  session.run("delete from nars where file = $1", {file});
}

}  // namespace

std::optional<NarContent> NarRecords::use(const std::string& file, Time now) {
  using Content = std::optional<NarContent>;
  // Nothing if the file is being removed.
  const auto attempt = [&] {
    return database_.write([&](Session& session) -> std::optional<Content> {
      const auto known = session.row<int64_t, std::string, int64_t>(
          "select going_since, nar_hash, nar_size from nars where file = $1", {file});
      if (known && std::get<0>(*known) > seconds(now) - longest_removal) return std::nullopt;
      session.run(
          "insert into nars (file, file_size, used_at, going_since, is_named, nar_hash, nar_size) "
          "values ($1, 0, $2, 0, 0, '', 0) on conflict (file) do update set used_at = excluded.used_at, "
          "going_since = 0",
          {file, seconds(now)});
      if (!known || std::get<1>(*known).empty()) return std::optional<Content>(std::in_place);
      return Content(NarContent{.hash = digest_of(std::get<1>(*known)),
                                .size = static_cast<uint64_t>(std::get<2>(*known))});
    });
  };
  for (int pauses = 0; pauses < 50; ++pauses) {
    if (auto content = attempt()) return *content;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  fail(ErrorKind::unavailable, "{} is being removed", file);
}

void NarRecords::set_content(const std::string& file, uint64_t file_size,
                             const std::optional<NarContent>& content) {
  const std::string hash = content ? to_hex(bytes_of(content->hash)) : "";
  const auto size = content ? static_cast<int64_t>(content->size) : 0;
  database_.write([&](Session& session) {
    session.run("update nars set file_size = $2 where file = $1", {file, static_cast<int64_t>(file_size)});
    if (content)
      session.run("update nars set nar_hash = $2, nar_size = $3 where file = $1", {file, hash, size});
  });
}

uint64_t NarRecords::bytes() const {
  const auto sum = database_.row<int64_t>("select cast(coalesce(sum(file_size), 0) as bigint) from nars");
  return static_cast<uint64_t>(std::get<0>(*sum));
}

std::set<std::string, std::less<>> NarRecords::named() const {
  std::set<std::string, std::less<>> result;
  for (auto& [file] : database_.rows<std::string>("select file from nars where is_named = 1"))
    result.insert(std::move(file));
  return result;
}

void NarRecords::set_named(const std::vector<std::string>& files) {
  constexpr size_t at_once = 500;  // so that nobody waits long
  for (size_t first = 0; first < files.size(); first += at_once)
    database_.write([&](Session& session) {
      for (size_t i = first; i < std::min(first + at_once, files.size()); ++i)
        session.run(
            "insert into nars (file, file_size, used_at, going_since, is_named, nar_hash, nar_size) "
            "values ($1, 0, 0, 0, 1, '', 0) on conflict (file) do update set is_named = 1",
            {files[i]});
    });
}

bool NarRecords::begin_removal(const std::string& file, Time before, Time now) {
  return database_.write([&](Session& session) { return begin_removal_in(session, file, before, now); });
}

bool NarRecords::remove_unnamed(const std::string& file, Time before, Time now, bool is_shared,
                                const std::function<void()>& remove) {
  // If it must stay, the next look for orphans sees to it.
  const auto begin = [&](Session& session) {
    session.run("update nars set is_named = 0 where file = $1", {file});
    return begin_removal_in(session, file, before, now);
  };
  if (!is_shared)
    return database_.write([&](Session& session) {
      if (!begin(session)) return false;
      forget_nar(session, file);
      remove();
      return true;
    });
  if (!database_.write(begin)) return false;
  remove();
  end_removal(file);
  return true;
}

void NarRecords::end_removal(const std::string& file) {
  database_.write([&](Session& session) { forget_nar(session, file); });
}

}  // namespace flox::server
