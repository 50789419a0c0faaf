#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "ticket/backend/open.h"
#include "ticket/local/local_backend.h"
#include "ticket/local/local_objects.h"

namespace ticket::local {
namespace {

using flox::ErrorKind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

ErrorKind error_kind(const std::function<void()>& call) {
  try {
    call();
  } catch (const flox::Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::internal;
}

class LocalBackendTest : public testing::Test {
 protected:
  LocalBackendTest() { backend_.create(wanted_, nullptr); }
  std::vector<Message> receive(Queue& queue, std::chrono::seconds visibility = 60s, int most = 10) {
    return queue.receive(most, 0s, visibility, nullptr);
  }
  void make_time_pass() {  // for hidden messages
    Database database(directory_.path() / "tickets.sqlite");
    auto use = database.write();
    use.statement("update message set visible_at = 0").run();
    use.commit();
  }

  flox::TempDir directory_;
  Resources wanted_{.queue = "q", .raw_bucket = "raw", .enriched_bucket = "enriched", .table = "t"};
  LocalBackend backend_{directory_.path()};
  std::unique_ptr<Queue> queue_ = backend_.queue("q", nullptr);
  std::unique_ptr<ObjectStore> objects_ = backend_.store(nullptr);
  std::unique_ptr<Table> table_ = backend_.table("t", nullptr);
};

TEST_F(LocalBackendTest, HidesADeliveredMessageUntilItsTimeOutAndCountsDeliveries) {
  queue_->send("hello");
  auto first = receive(*queue_);
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].body, "hello");
  EXPECT_EQ(first[0].receive_count, 1);
  EXPECT_LT(std::chrono::system_clock::now() - *first[0].sent_at, 1min);
  EXPECT_THAT(receive(*queue_), IsEmpty());
  EXPECT_EQ(queue_->depth().hidden, 1);
  make_time_pass();
  auto second = receive(*queue_);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].id, first[0].id);
  EXPECT_EQ(second[0].receive_count, 2);
}

TEST_F(LocalBackendTest, HonoursTheReceiptOfTheLatestDeliveryOnly) {
  queue_->send("x");
  auto first = receive(*queue_);
  make_time_pass();
  auto second = receive(*queue_);
  queue_->remove(first[0].receipt);
  queue_->set_visibility({first[0].receipt}, 0s);
  EXPECT_EQ(queue_->depth().hidden, 1) << "a worker that was too slow took the message from another";
  queue_->remove(second[0].receipt);
  EXPECT_EQ(queue_->depth().hidden, 0);
  EXPECT_EQ(error_kind([&] { queue_->remove("nonsense"); }), ErrorKind::invalid_input);
}

TEST_F(LocalBackendTest, GivesAMessageBackAtOnce) {
  queue_->send("x");
  auto first = receive(*queue_);
  queue_->set_visibility({first[0].receipt}, 0s);
  queue_->set_visibility({first[0].receipt}, 600s);  // by a keeper that did not hear of it
  EXPECT_THAT(receive(*queue_), SizeIs(1));
}

TEST_F(LocalBackendTest, MovesAMessageToTheDeadLetterQueueAfterItsLastDelivery) {
  wanted_.dead_letter_queue = "dead";
  wanted_.max_receives = 2;
  backend_.create(wanted_, nullptr);
  EXPECT_TRUE(queue_->traits().has_dead_letter_queue);
  queue_->send("poison");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(receive(*queue_), SizeIs(1));
    make_time_pass();
  }
  EXPECT_THAT(receive(*queue_), IsEmpty());
  auto dead = backend_.queue("dead", nullptr);
  auto found = receive(*dead);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].body, "poison");
}

TEST_F(LocalBackendTest, WaitsInALongPollForAMessageOfAnotherProcess) {
  std::thread sender([&] {
    LocalBackend other(directory_.path());
    other.queue("q", nullptr)->send("late");
  });
  auto got = queue_->receive(10, 20s, std::nullopt, nullptr);
  sender.join();
  EXPECT_THAT(got, SizeIs(1));
  std::atomic<int> asked = 0;
  EXPECT_EQ(error_kind([&] { queue_->receive(10, 20s, std::nullopt, [&] { return ++asked > 3; }); }),
            ErrorKind::unavailable);
}

TEST_F(LocalBackendTest, DeliversEachMessageToOneOfManyReaders) {
  constexpr int count = 200;
  for (int i = 0; i < count; ++i) queue_->send(std::to_string(i));
  std::mutex mutex;
  std::multiset<std::string> bodies;
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 4; ++reader)
    readers.emplace_back([&] {
      LocalBackend other(directory_.path());  // with a connection of its own, as a process has
      auto queue = other.queue("q", nullptr);
      for (auto got = receive(*queue); !got.empty(); got = receive(*queue)) {
        std::lock_guard lock(mutex);
        for (const Message& message : got) bodies.insert(message.body);
      }
    });
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(bodies.size(), static_cast<size_t>(count));
  EXPECT_EQ(std::set<std::string>(bodies.begin(), bodies.end()).size(), static_cast<size_t>(count));
}

TEST_F(LocalBackendTest, KeepsObjectsUnderAnyKey) {
  const std::string long_key(500, 'k');
  std::vector<std::string> keys{"a", "a/b", ".", "..", ".hidden", "ä b+c=%2F", long_key, long_key + "2"};
  for (const std::string& key : keys) objects_->put("raw", key, "content of " + key);
  for (const std::string& key : keys) EXPECT_EQ(objects_->get("raw", key, 1000), "content of " + key);
  EXPECT_EQ(objects_->get("raw", "missing", 1000), std::nullopt);
  EXPECT_EQ(error_kind([&] { objects_->get("raw", "a", 3); }), ErrorKind::invalid_input);
  EXPECT_EQ(error_kind([&] { objects_->get("nowhere", "a", 3); }), ErrorKind::not_found);
  EXPECT_EQ(error_kind([&] { objects_->put("..", "a", ""); }), ErrorKind::invalid_input);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path() / "buckets/raw")) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, keys.size());
}

TEST_F(LocalBackendTest, FollowsNothingInABucket) {
  namespace fs = std::filesystem;
  const fs::path outside = directory_.path() / "outside", bucket = directory_.path() / "buckets/raw";
  std::ofstream(outside) << "secret";
  fs::create_symlink(outside, bucket / "link");
  ASSERT_EQ(mkfifo((bucket / "fifo").c_str(), 0600), 0);
  for (const char* key : {"link", "fifo"})
    EXPECT_EQ(error_kind([&] { objects_->get("raw", key, 100); }), ErrorKind::invalid_input) << key;
  objects_->put("raw", "link", "mine");
  EXPECT_EQ(objects_->get("raw", "link", 100), "mine");
  EXPECT_EQ(flox::read_file(outside), "secret");
  fs::create_directory_symlink(directory_.path(), directory_.path() / "buckets/astray");
  EXPECT_EQ(error_kind([&] { objects_->put("astray", "k", ""); }), ErrorKind::untrusted);
  EXPECT_EQ(error_kind([&] { objects_->get(std::string("raw\0x", 5), "a", 1); }), ErrorKind::invalid_input);
  objects_->remove("raw", "link");
  objects_->remove("raw", "link");
  EXPECT_EQ(objects_->get("raw", "link", 100), std::nullopt);
}

TEST_F(LocalBackendTest, LetsOneOfManyWritersHaveAnObject) {
  std::atomic<int> stored = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 8; ++writer)
    writers.emplace_back([&, writer] {
      if (objects_->put_if_absent("enriched", "k", std::string(10000, static_cast<char>('a' + writer))))
        ++stored;
    });
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(stored, 1);
  std::string content = *objects_->get("enriched", "k", 100000);
  EXPECT_EQ(content, std::string(10000, content[0])) << "a mixture";
  objects_->put("enriched", "k", "replaced");
  EXPECT_EQ(objects_->get("enriched", "k", 100), "replaced");
}

TEST_F(LocalBackendTest, RemovesWhatAKilledWriterLeftLongAgo) {
  auto bucket = directory_.path() / "buckets/raw";
  for (const char* name : {".one.new", ".two.new", "kept"}) std::ofstream(bucket / name) << "x";
  auto old = std::filesystem::file_time_type::clock::now() - 2h;
  std::filesystem::last_write_time(bucket / ".one.new", old);
  std::filesystem::last_write_time(bucket / "kept", old);
  backend_.create(wanted_, nullptr);
  EXPECT_FALSE(std::filesystem::exists(bucket / ".one.new"));
  EXPECT_TRUE(std::filesystem::exists(bucket / ".two.new")) << "its writer may still be at work";
  EXPECT_TRUE(std::filesystem::exists(bucket / "kept"));
}

TEST_F(LocalBackendTest, KeepsTheFirstItemOfAKey) {
  EXPECT_TRUE(table_->put_if_absent({{"ticket_id", "T"}, {"created_at", 1}, {"n", 1}}));
  EXPECT_FALSE(table_->put_if_absent({{"ticket_id", "T"}, {"created_at", 1}, {"n", 2}}));
  EXPECT_TRUE(table_->put_if_absent({{"ticket_id", "T"}, {"created_at", 2}, {"n", 3}}));
}

TEST_F(LocalBackendTest, TellsWhatIsMissing) {
  EXPECT_EQ(error_kind([&] { backend_.queue("none", nullptr)->traits(); }), ErrorKind::not_found);
  EXPECT_EQ(error_kind([&] { backend_.queue("none", nullptr)->send("x"); }), ErrorKind::not_found);
  EXPECT_EQ(error_kind([&] { backend_.table("none", nullptr)->check(); }), ErrorKind::not_found);
  EXPECT_EQ(error_kind([&] { objects_->check_bucket("none"); }), ErrorKind::not_found);
  EXPECT_EQ(error_kind([&] { LocalBackend("/proc/nowhere"); }), ErrorKind::not_found);
  EXPECT_EQ(error_kind([&] { open_backend("gcp"); }), ErrorKind::invalid_input);
  EXPECT_EQ(error_kind([&] { open_backend("local:"); }), ErrorKind::invalid_input);
}

}  // namespace
}  // namespace ticket::local
