#include "server/files/collector.h"

#include <gmock/gmock.h>

#include <thread>
#include <utility>

#include "nix/cache_layout.h"
#include "server/files/looking_again.h"
#include "server/records/attestations.h"
#include "server/records/cache_readers.h"
#include "server/records/environments.h"
#include "server/records/mirrored_owners.h"
#include "server/records/records.h"
#include "server/records/tables.h"
#include "server/testing/records.h"
#include "server/testing/uploads.h"

namespace flox::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class CollectorTest : public UploadTest {
 protected:
  catalog::PackageBuild build_of(char digit) { return build("web", std::string("1.") + digit, "", digit); }
  // As the API records it.
  void record(char digit) {
    looking_again(
        cache_,
        [&](int64_t times) {
          const auto digests = cache_.digests_of(cache_.closure({path(digit)}), {});
          between_looking_and_recording_();
          records_.add(build_of(digit), {}, [](Session&) {}, {.times = times, .digests = digests});
        },
        [&] { return nix::StorePathSet{path(digit)}; });
  }
  bool is_here(char digit) { return cache_.narinfo(path(digit)).has_value(); }
  Collected collect(bool is_dry = false) { return collector_.run(is_dry, later_, later_); }

  void restrict(const std::vector<std::string>& names) {
    for (const auto& name : names) readers_.restrict_to(name, "acme");
  }

  Clock::time_point later_ = Clock::now() + std::chrono::hours(25);  // nothing is young then
  Records records_{*database_};
  CacheReaders readers_{*database_};
  AttestationRecords attestations_{*database_};
  std::function<void(const std::string& name)> after_removal_ = [](const std::string&) {};
  std::function<void()> between_ = [] {};
  std::function<void()> between_looking_and_recording_ = [] {};
  std::vector<std::string> removed_;
  Collector collector_{cache_,
                       [this](const Collector::Take& take) {
                         records_.for_each_needed_path(take);
                         between_();
                       },
                       [this](const std::string& name) {
                         removed_.push_back(name);
                         after_removal_(name);
                       }};
};

TEST_F(CollectorTest, what_nothing_recorded_needs_goes_with_its_nar_and_what_refers_to_it_first) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  const nix::NarInfo other_library = upload('2', "other library");
  const nix::NarInfo other = upload('3', "other program", {path('2'), path('0')});
  record('1');
  const uint64_t before = cache_.used();
  const Collected dry = collect(true);
  EXPECT_EQ(dry.paths, 2u);
  EXPECT_EQ(cache_.used(), before);
  const Collected collected = collect();
  EXPECT_EQ(collected.paths, 2u);
  EXPECT_EQ(collected.nars, 2u);
  EXPECT_EQ(collected.bytes, dry.bytes);
  EXPECT_EQ(collected.kept_paths, 2u);
  EXPECT_EQ(cache_.used(), before - collected.bytes);
  EXPECT_THAT(removed_, ElementsAre(nix::narinfo_name(path('3')), other.url, nix::narinfo_name(path('2')),
                                    other_library.url));
  EXPECT_TRUE(is_here('0') && is_here('1'));
  EXPECT_FALSE(cache_.find(other.url));
  EXPECT_EQ(collect().paths, 0u);
}

TEST_F(CollectorTest, what_has_gone_is_not_served_from_memory_either) {
  const std::string nar = upload('0', "library").url;
  const std::string narinfo = nix::narinfo_name(path('0'));
  for (const auto& name : {nar, narinfo}) cache_.small_file(name, cache_.changes());
  ASSERT_TRUE(cache_.hot_file(narinfo));
  EXPECT_EQ(!cache_.hot_file(nar), store_->is_shared());  // a bucket gives its NARs itself
  collect();
  EXPECT_FALSE(cache_.hot_file(narinfo));
  EXPECT_FALSE(cache_.hot_file(nar));
}

TEST_F(CollectorTest, what_was_uploaded_lately_stays_with_all_that_it_refers_to) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  const Collected collected = collector_.run(false, Clock::now() - std::chrono::hours(24));
  EXPECT_EQ(collected.paths, 0u);
  EXPECT_EQ(collected.kept_young, 2u);
}

TEST_F(CollectorTest, a_nar_that_two_paths_share_goes_with_the_last_one) {
  const nix::NarInfo shared = upload('0', "the same");
  upload('1', "the same");
  record('0');
  EXPECT_EQ(collect().nars, 0u);
  EXPECT_TRUE(cache_.find(shared.url));
}

TEST_F(CollectorTest, what_is_published_while_the_records_are_read_stays) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  bool published = false;
  between_ = [&] {
    if (!std::exchange(published, true)) record('1');
  };
  EXPECT_EQ(collect().paths, 0u);
  EXPECT_TRUE(is_here('0') && is_here('1'));
}

TEST_F(CollectorTest, what_is_marked_is_not_recorded_unless_it_was_looked_for_again) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  const int64_t before = cache_.marks().times();
  ASSERT_TRUE(cache_.marks().mark({std::string(path('0').digest()), std::string(path('1').digest())},
                                  cache_.marks().publications()));
  const auto add = [&](int64_t marked) {
    const std::vector<std::string> digests{std::string(path('1').digest()), std::string(path('0').digest())};
    records_.add(build_of('1'), {}, [](Session&) {}, {.times = marked, .digests = digests});
  };
  EXPECT_THROW(add(before), LookAgain);
  EXPECT_THROW(add(cache_.marks().times()), LookAgain);
  EXPECT_EQ(records_.count(), 0);
  cache_.keep({path('1')});  // and the library
  add(cache_.marks().times());
  int removals = 0;
  EXPECT_FALSE(cache_.marks().remove(std::string(path('0').digest()), false, later_, [&] { ++removals; }));
  EXPECT_EQ(removals, 0);
}

// Marked before it was looked for, and removed after that: the record would find neither mark nor file.
TEST_F(CollectorTest, what_was_marked_before_it_was_looked_for_is_not_removed_before_it_is_recorded) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  const std::vector<std::string> digests{std::string(path('1').digest()), std::string(path('0').digest())};
  ASSERT_TRUE(cache_.marks().mark(digests, cache_.marks().publications()));
  between_looking_and_recording_ = [&] {
    for (const auto& digest : digests)
      EXPECT_FALSE(cache_.marks().remove(digest, false, later_, [] { FAIL() << "it was removed"; }));
  };
  record('1');
  EXPECT_EQ(records_.count(), 1);
}

// Whoever writes builds or generations: none can do so beside a collection without being counted by it.
TEST_F(CollectorTest, nothing_is_recorded_that_was_looked_for_before_a_marking_and_every_record_counts) {
  EnvironmentRecords environments(*database_);
  Generation generation{.number = 1, .manifest = "m", .lock = {}, .pushed_at = "t"};
  generation.lock.manifest = nlohmann::json::object();
  const std::vector<std::function<void(const LookedFor&)>> writers{
      [&](const LookedFor& looked) {
        records_.add(
            build_of('1'), {}, [](Session&) {}, looked);
      },
      [&](const LookedFor& looked) {
        environments.push(
            "other", "web", generation, {}, [](const std::optional<Generation>&) {}, [](Session&) {}, looked);
      },
      [&](const LookedFor& looked) { write_mirrored(*database_, mirrored_acme(), looked); },
      [&](const LookedFor& looked) {
        database_->write([&](Session& session) { complete_tables(session, looked); });
      }};
  for (const auto& write : writers) {
    const int64_t before = cache_.marks().times();
    ASSERT_TRUE(cache_.marks().mark({std::string(path('1').digest())}, cache_.marks().publications()));
    EXPECT_THROW(write({.times = before, .digests = {}}), LookAgain);
    EXPECT_THROW(write({.times = before + 1, .digests = {std::string(path('1').digest())}}), LookAgain);
    EXPECT_THROW(write({}), LookAgain);  // who forgets it
    const int64_t publications = cache_.marks().publications();
    write({.times = before + 1, .digests = {}});
    EXPECT_FALSE(cache_.marks().mark({}, publications));
  }
}

TEST_F(CollectorTest, an_upload_keeps_what_it_refers_to) {
  upload('0', "library");
  ASSERT_TRUE(cache_.marks().mark({std::string(path('0').digest())}, cache_.marks().publications()));
  upload('1', "program", {path('0')});
  EXPECT_FALSE(cache_.marks().remove(std::string(path('0').digest()), false, later_, [] {}));
}

TEST_F(CollectorTest, a_removal_whose_transaction_fails_is_seen_by_who_publishes_and_done_again) {
  upload('0', "library");
  const std::string digest(path('0').digest());
  ASSERT_TRUE(cache_.marks().mark({digest}, cache_.marks().publications()));
  EXPECT_THROW(cache_.marks().remove(digest, false, later_,
                                     [&] {
                                       store_->remove(nix::narinfo_name(digest));
                                       throw Error(ErrorKind::unavailable, "the disk is full");
                                     }),
               Error);
  cache_.keep({path('0')});
  EXPECT_EQ(refusal([&] { cache_.closure({path('0')}); }), ErrorKind::invalid_input);
  upload('0', "library");
  record('0');
  EXPECT_EQ(collect().paths, 0u);
}

TEST_F(CollectorTest, who_may_read_what_has_gone_is_forgotten_in_the_same_transaction) {
  const nix::NarInfo secret = upload('0', "secret");
  const std::string narinfo = nix::narinfo_name(path('0'));
  restrict({narinfo, secret.url});
  attestations_.add(path('0').digest(), {.key = "k", .envelope = "{}"});
  int uploads = 0;
  after_removal_ = [&](const std::string& name) {
    // As who uploads it at that very moment.
    readers_.restrict_to(name, "beta");
    ++uploads;
  };
  EXPECT_EQ(collect().nars, 1u);
  EXPECT_EQ(uploads, 2);
  EXPECT_EQ(readers_.unreadable({narinfo, secret.url}, {"acme"}),
            (std::set<std::string>{narinfo, secret.url}));
  EXPECT_TRUE(readers_.unreadable({narinfo, secret.url}, {"beta"}).empty());
  EXPECT_TRUE(attestations_.find(path('0').digest()).empty());
}

TEST_F(CollectorTest, a_removal_that_was_interrupted_leaves_no_reader_to_the_next_upload) {
  for (const bool collects : {false, true}) {
    upload('0', "secret");
    const std::string digest(path('0').digest()), narinfo = nix::narinfo_name(digest);
    restrict({narinfo});
    ASSERT_TRUE(cache_.marks().mark({digest}, cache_.marks().publications()));
    EXPECT_THROW(cache_.marks().remove(digest, false, later_,
                                       [&] {
                                         store_->remove(narinfo);
                                         throw Error(ErrorKind::unavailable, "the disk is full");
                                       }),
                 Error);
    EXPECT_FALSE(readers_.unreadable({narinfo}, {}).empty());
    if (collects)
      collect();
    else
      cache_.keep({path('0')});
    EXPECT_TRUE(readers_.unreadable({narinfo}, {}).empty());
  }
}

TEST_F(CollectorTest, who_says_who_may_read_a_path_takes_its_mark_off) {
  upload('0', "library");
  const std::string digest(path('0').digest()), narinfo = nix::narinfo_name(digest);
  ASSERT_TRUE(cache_.marks().mark({digest}, cache_.marks().publications()));
  restrict({narinfo});
  EXPECT_FALSE(cache_.marks().remove(digest, false, later_, [] {}));
  EXPECT_FALSE(readers_.unreadable({narinfo}, {}).empty());
}

TEST_F(CollectorTest, what_a_record_only_mentions_is_looked_for_with_all_that_it_refers_to) {
  upload('0', "library");
  upload('1', "program", {path('0')});
  const auto mentioned = paths_needed_by({"runs " + path('1').to_string() + "/bin/web", "{}"});
  EXPECT_THAT(cache_.digests_of({}, mentioned),
              UnorderedElementsAre(std::string(path('1').digest()), std::string(path('0').digest())));
}

TEST_F(CollectorTest, who_publishes_and_who_collects_at_once_never_leave_a_record_without_its_files) {
  upload('0', "library");
  // With pauses in which a publication can end: without a time of grace, as here, it would be collected for
  // ever. What is used after a collection has begun is later than that: a NAR is kept by its time.
  std::jthread collecting([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      try {
        const auto now = Clock::now();
        collector_.run(false, now, now);
      } catch (const Error&) {  // somebody publishes all the time
      }
      std::this_thread::sleep_for(store_->is_shared() ? std::chrono::milliseconds(500)
                                                      : std::chrono::milliseconds(3));
    }
  });
  for (int round = 0; round < 40; ++round) {
    const char digit = "123456789abcdfghijklmnpqrsvwxyz"[round % 31];
    for (int attempt = 0;; ++attempt) {
      try {
        upload('0', "library");
        upload(digit, std::string("program ") + digit, {path('0')});
        record(digit);
        break;
      } catch (const Error& error) {  // collected just then: once more, as flox publish does
        ASSERT_LT(attempt, 50) << error.what();
        cache_.keep({path(digit)});
      }
    }
  }
  collecting.request_stop();
  collecting.join();
  for (const auto& one : records_.builds("web"))
    for (const auto& [output, path] : one.outputs)
      EXPECT_NO_THROW(cache_.closure({path})) << path.to_string();
}

}  // namespace
}  // namespace flox::server
