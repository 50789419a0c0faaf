#include "node/shared/store_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/os/file.h"
#include "node/shared/messages.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

class StoreWriterTest : public testing::Test {
 protected:
  nix::StorePath add(const std::string& name) {
    write_file(temp_.path() / name, name);
    return store_.add_tree(temp_.path() / name, name, {}).path;
  }
  // Work waits until the test runs it.
  StoreWriter::Options options(std::chrono::seconds lease_time) {
    return {
        .state = temp_.path() / "state",
        .system = "x86_64-linux",
        .runtime = runtime_,
        .lease_time = lease_time,
        .begin = [this](const ReaderWork&, std::function<void()> run) { begun_.push_back(std::move(run)); },
        .realise =
            [this](const ReaderWork& work) {
              store::add_lease(store_, work.holder, {profile_});
              return profile_;
            }};
  }
  template <typename Answer, typename Request>
  Answer ask(StoreWriter& writer, std::string_view path, Request request) {
    request.mutable_reader()->set_node("node");
    request.mutable_reader()->set_instance(std::string(16, 'i'));
    request.mutable_reader()->set_nonce(std::to_string(++nonce_));
    ServerRequest asked;
    asked.method = "POST";
    asked.path = path;
    asked.body = request.SerializeAsString();
    Answer answer;
    EXPECT_TRUE(answer.ParseFromString(writer.answer(asked, prover_).body));
    return answer;
  }
  shared::v1::RealiseAnswer realise(StoreWriter& writer) {
    shared::v1::RealiseRequest request;
    request.set_holder("pod");
    return ask<shared::v1::RealiseAnswer>(writer, shared_realise, std::move(request));
  }
  shared::v1::LeasesAnswer tell(StoreWriter& writer, const std::vector<std::string>& paths) {
    shared::v1::LeasesRequest request;
    auto& lease = *request.add_leases();
    lease.set_holder("pod");
    for (const std::string& path : paths) lease.add_paths(path);
    return ask<shared::v1::LeasesAnswer>(writer, shared_leases, std::move(request));
  }
  bool is_leased() const { return store::leased_paths(store_, "reader-node_pod").contains(profile_); }

  TempDir temp_;
  store::LocalStore store_{temp_.path() / "root"};
  const nix::StorePath runtime_ = add("runtime"), profile_ = add("profile");
  store::PeerProver prover_{.key = Secret(std::string(64, 'k')), .node = {}};
  std::vector<std::function<void()>> begun_;
  int nonce_ = 0;
};

TEST_F(StoreWriterTest, what_is_asked_for_again_is_one_piece_of_work) {
  StoreWriter writer(store_, options(std::chrono::hours(1)));
  EXPECT_FALSE(realise(writer).done());
  EXPECT_FALSE(realise(writer).done());
  ASSERT_EQ(begun_.size(), 1U);
  begun_[0]();
  const auto answer = realise(writer);
  EXPECT_TRUE(answer.done());
  EXPECT_EQ(answer.profile().root(), profile_.to_string());
}

TEST_F(StoreWriterTest, a_lease_that_nobody_came_for_ends_with_its_reader) {
  StoreWriter writer(store_, options(std::chrono::seconds(0)));
  EXPECT_FALSE(realise(writer).done());
  ASSERT_EQ(begun_.size(), 1U);
  begun_[0]();
  EXPECT_TRUE(is_leased());
  writer.sweep();
  EXPECT_FALSE(is_leased());
}

TEST_F(StoreWriterTest, work_that_ends_after_its_reader_leaves_no_lease) {
  StoreWriter writer(store_, options(std::chrono::seconds(0)));
  EXPECT_FALSE(realise(writer).done());
  writer.sweep();
  ASSERT_EQ(begun_.size(), 1U);
  begun_[0]();
  EXPECT_FALSE(is_leased());
}

TEST_F(StoreWriterTest, a_node_with_a_key_of_its_own_speaks_for_no_other) {
  StoreWriter writer(store_, options(std::chrono::hours(1)));
  tell(writer, {profile_.to_string()});
  prover_.node = "other";
  EXPECT_THAT(tell(writer, {}).failure().message(),
              testing::HasSubstr("the node other speaks as another one"));
  EXPECT_TRUE(realise(writer).has_failure());
  prover_.node = "node";
  EXPECT_FALSE(tell(writer, {}).has_failure());
  EXPECT_TRUE(is_leased());
}

TEST_F(StoreWriterTest, what_was_told_before_ends_no_lease_that_was_told_of_since) {
  StoreWriter writer(store_, options(std::chrono::hours(1)));
  const std::string gone = "/nix/store/00000000000000000000000000000000-gone";
  const auto answer = tell(writer, {profile_.to_string(), gone});
  ASSERT_EQ(answer.missing_size(), 1);
  EXPECT_EQ(answer.missing(0), gone);
  EXPECT_TRUE(is_leased());
  EXPECT_FALSE(tell(writer, {}).has_failure());
  EXPECT_TRUE(is_leased());
}

TEST_F(StoreWriterTest, what_one_node_has_leased_is_bounded_as_a_sum) {
  StoreWriter::Options few = options(std::chrono::hours(1));
  few.most_leased = 2;
  StoreWriter writer(store_, std::move(few));
  const auto tell_of = [&](const std::string& holder, const nix::StorePath& path) {
    shared::v1::LeasesRequest request;
    auto& lease = *request.add_leases();
    lease.set_holder(holder);
    lease.add_paths(path.to_string());
    return ask<shared::v1::LeasesAnswer>(writer, shared_leases, std::move(request));
  };
  EXPECT_FALSE(tell_of("one", profile_).has_failure());
  EXPECT_FALSE(tell_of("two", profile_).has_failure());
  EXPECT_FALSE(tell_of("two", profile_).has_failure()) << "it has that";
  EXPECT_THAT(tell_of("three", profile_).failure().message(), testing::HasSubstr("2 paths leased"));
  EXPECT_TRUE(tell_of("two", runtime_).has_failure());
  EXPECT_TRUE(realise(writer).has_failure());
  EXPECT_TRUE(store::leased_paths(store_, "reader-node_three").empty());
}

}  // namespace
}  // namespace flox::node
