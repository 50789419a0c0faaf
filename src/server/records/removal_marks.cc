#include "server/records/removal_marks.h"

#include <algorithm>
#include <map>
#include <thread>

#include "nix/cache_layout.h"
#include "server/records/in_list.h"
#include "server/records/stored_values.h"

namespace flox::server {
namespace {

// What a removal of a file behind a network takes at most, with its second try (files/s3_store.cc); a catalog
// that has not ended it by then has died.
constexpr int64_t longest_network_removal = 30;  // seconds
constexpr size_t marked_at_once = 500;

int64_t seconds_of(RemovalMarks::Time time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// The path is in the cache no more.
void forget_path(Session& session, const std::string& digest) {
  session.run("delete from cache_readers where name = $1", {nix::narinfo_name(digest)});
  session.run("delete from attestations where digest = $1", {digest});
}

constexpr std::string_view times_marked = "removal_marks";
constexpr std::string_view times_published = "publications";
constexpr std::string_view times_removed = "removals";

bool has_marks(Session& session) {
  return session.row<int64_t>("select 1 from removal_marks limit 1").has_value();
}

// Those of the paths that are marked: since when each is being removed, 0 if it is only marked.
std::map<std::string, int64_t> marks_of(Session& session, const std::vector<std::string>& digests) {
  std::map<std::string, int64_t> marks;
  each_in(session, "select digest, going_since from removal_marks where digest", digests,
          [&](const Row& row) { marks[row.get<std::string>(0)] = row.number(1); });
  return marks;
}

}  // namespace

int64_t RemovalMarks::times() const {
  return database_.transact(Access::statement,
                            [](Session& session) { return counter(session, times_marked); });
}

void RemovalMarks::require_none(Session& session, int64_t times, const std::vector<std::string>& digests) {
  if (counter(session, times_marked) != times) throw LookAgain();
  if (has_marks(session) && !marks_of(session, digests).empty()) throw LookAgain();
  count(session, times_published);
}

void RemovalMarks::keep(const std::function<Needed()>& needed) {
  if (!database_.row<int64_t>("select 1 from removal_marks limit 1")) return;
  const auto [digests, missing] = needed();
  for (int pauses = 0; pauses < 50; ++pauses) {
    const bool kept = database_.write([&](Session& session) {
      const int64_t alive = seconds_of(std::chrono::system_clock::now()) - longest_network_removal;
      const auto marked = marks_of(session, digests);
      if (std::ranges::any_of(marked, [&](const auto& mark) { return mark.second > alive; })) return false;
      for (const auto& [digest, since] : marked) {
        session.run("delete from removal_marks where digest = $1", {digest});
        if (missing.contains(digest)) forget_path(session, digest);
      }
      return true;
    });
    if (kept) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  fail(ErrorKind::unavailable, "something that this needs is being removed just now");
}

void RemovalMarks::claim(Session& session, std::string_view digest) {
  const auto marks = marks_of(session, {std::string(digest)});
  if (marks.empty()) return;
  if (marks.begin()->second > seconds_of(std::chrono::system_clock::now()) - longest_network_removal)
    throw LookAgain();
  session.run("delete from removal_marks where digest = $1", {digest});
}

int64_t RemovalMarks::publications() const {
  return database_.transact(Access::statement,
                            [](Session& session) { return counter(session, times_published); });
}

void RemovalMarks::count_publication(Session& session) { count(session, times_published); }

std::vector<std::string> RemovalMarks::marked() const {
  std::vector<std::string> digests;
  for (auto& [digest] : database_.rows<std::string>("select digest from removal_marks where going_since = 0"))
    digests.push_back(std::move(digest));
  return digests;
}

int64_t RemovalMarks::removals(Session& session) { return counter(session, times_removed); }

bool RemovalMarks::is_of(Session& session, int64_t publications) {
  return counter(session, times_published) == publications;
}

bool RemovalMarks::mark(const std::vector<std::string>& digests, int64_t publications) {
  return database_.write([&](Session& session) {
    if (!is_of(session, publications)) return false;
    session.run("delete from removal_marks where going_since = 0");
    for (size_t first = 0; first < digests.size(); first += marked_at_once) {
      const size_t end = std::min(first + marked_at_once, digests.size());
      std::string sql = "insert into removal_marks (digest, going_since) values ";
      Values values;
      for (size_t i = first; i < end; ++i) {
        values.emplace_back(std::string_view(digests[i]));
        sql += fmt::format("{}(${}, 0)", i == first ? "" : ", ", values.size());
      }
      session.run(sql + " on conflict (digest) do nothing", values);
    }
    count(session, times_marked);
    return true;
  });
}

void RemovalMarks::clear() {
  database_.write([](Session& session) { session.run("delete from removal_marks where going_since = 0"); });
}

bool RemovalMarks::remove(const std::string& digest, bool is_shared, Time now,
                          const std::function<void()>& remove) {
  const auto take = [&](Session& session) {
    if (session.run("delete from removal_marks where digest = $1", {digest}) != 1) return false;
    forget_path(session, digest);
    count(session, times_removed);
    return true;
  };
  if (!is_shared)
    return database_.write([&](Session& session) {
      if (!take(session)) return false;
      remove();
      return true;
    });
  const bool begun = database_.write([&](Session& session) {
    if (session.run("update removal_marks set going_since = $2 where digest = $1",
                    {digest, seconds_of(now)}) != 1)
      return false;
    count(session, times_removed);
    return true;
  });
  if (!begun) return false;
  remove();
  return database_.write(take);
}

}  // namespace flox::server
