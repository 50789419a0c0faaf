// Who is answered, and how what is wrong is said. That images are resolved and fetched, test/node/images.sh
// shows.
#include "node/floxd/image_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

using testing::HasSubstr;
using testing::Not;

struct ConfigIn : Config {
  explicit ConfigIn(const std::filesystem::path& directory) { root = directory; }
};

class ImageRegistryTest : public testing::Test {
 protected:
  ImageRegistryTest()
      : store_(directory_.path()),
        peers_(config_, directory_.path(), store_, metrics_),
        environments_(config_, store_, peers_, metrics_),
        images_(config_, environments_, directory_.path()),
        registry_(images_, lane_, {.key = Secret("key"), .endpoint = "http://127.0.0.1:9809"}) {}
  ~ImageRegistryTest() override { lane_.stop(); }

  ServerResponse ask(const std::string& path, std::map<std::string, std::string> headers = {}) {
    return registry_.answer(
        {.method = "GET", .path = path, .query = {{"ns", "flox.local"}}, .headers = std::move(headers)});
  }
  static std::string token_in(const ServerResponse& response) {
    return parse_json(response.body, "answer").at("token");
  }
  static std::string basic(const std::string& login) { return "Basic " + to_base64(login); }

  const TempDir directory_;
  const ConfigIn config_{directory_.path()};
  store::LocalStore store_;
  Metrics metrics_;
  Peers peers_;
  Environments environments_;
  Images images_;
  FairThreads lane_{8};
  ImageRegistry registry_;
};

TEST_F(ImageRegistryTest, is_asked_for_flox_local_and_for_tokens) {
  EXPECT_TRUE(
      ImageRegistry::is_for({.method = "GET", .path = "/v2/a/manifests/1", .query = {{"ns", "flox.local"}}}));
  EXPECT_TRUE(ImageRegistry::is_for({.method = "GET", .path = "/token"}));
  EXPECT_FALSE(ImageRegistry::is_for({.method = "GET", .path = "/v2/a/manifests/1"}));
  EXPECT_FALSE(
      ImageRegistry::is_for({.method = "GET", .path = "/v2/a/manifests/1", .query = {{"ns", "ghcr.io"}}}));
}

TEST_F(ImageRegistryTest, answers_nobody_without_the_nodes_key) {
  for (const char* path :
       {"/v2/", "/v2/hello/manifests/1.0", "/v2/hello/blobs/sha256:00", "/v2/acme/web/tags/list"})
    for (const char* key : {"", "kez", "key "}) {
      const ServerResponse response = ask(path, {{"x-flox-node-key", key}});
      EXPECT_EQ(response.status, 403) << path;
      EXPECT_THAT(response.reason, HasSubstr("serves this node's containerd only"));
    }
  EXPECT_EQ(ask("/v2/").status, 403);
  EXPECT_EQ(ask("/v2/", {{"x-flox-node-key", "key"}}).status, 200);
}

TEST_F(ImageRegistryTest, without_a_key_answers_nobody_at_all) {
  ImageRegistry closed(images_, lane_, {.key = {}, .endpoint = ""});
  EXPECT_EQ(closed
                .answer({.method = "GET",
                         .path = "/v2/",
                         .query = {{"ns", "flox.local"}},
                         .headers = {{"x-flox-node-key", ""}}})
                .status,
            403);
}

TEST_F(ImageRegistryTest, gives_the_password_back_as_the_token_and_keeps_nothing) {
  EXPECT_EQ(token_in(ask("/token")), "anonymous");
  EXPECT_EQ(token_in(ask("/token", {{"authorization", basic("flox:s3cret:x")}})), "s3cret:x");
  for (const std::string& login : {std::string("flox"), std::string("flox:"), std::string("flox:a b"),
                                   std::string("flox:a\nb"), std::string("flox:\xc3\xa9")})
    EXPECT_EQ(ask("/token", {{"authorization", basic(login)}}).status, 400) << login;
  const ServerResponse odd = ask("/token", {{"authorization", "Basic c2Vjc???mV0"}});
  EXPECT_EQ(odd.status, 400);
  EXPECT_THAT(odd.reason + odd.body, Not(HasSubstr("c2Vjc")));
  EXPECT_EQ(token_in(ask("/token", {{"authorization", "Basic " + std::string(10'000, 'a')}})), "anonymous");
}

TEST_F(ImageRegistryTest, says_what_is_wrong_in_the_status_line_and_in_the_registrys_form) {
  const std::map<std::string, std::string> key = {{"x-flox-node-key", "key"}};
  const ServerResponse response = ask("/v2/acme/web/manifests/stable", key);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.reason, HasSubstr("'stable' is not a generation"));
  const auto error = parse_json(response.body, "answer").at("errors").at(0);
  EXPECT_EQ(error.at("code"), "NAME_INVALID");
  EXPECT_THAT(error.at("message").get<std::string>(), HasSubstr("as acme/web:3"));
  for (const char* path : {"/", "/v2", "/v2/a", "/v2//manifests/x", "/v2/a/b", "/v2/../../etc/passwd",
                           "/v2/a\xc3\xa9/manifests/1\xc3\xa9"}) {
    const ServerResponse odd = ask(path, key);
    for (const char c : odd.reason) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << path;
    EXPECT_LE(odd.reason.size(), 1000u);
  }
}

TEST_F(ImageRegistryTest, who_brings_no_token_is_asked_for_one_before_it_is_told_that_nothing_is_there) {
  std::map<std::string, std::string> headers = {{"x-flox-node-key", "key"}};
  const std::string path = "/v2/acme/web/blobs/sha256:" + std::string(64, 'a');
  const ServerResponse first = ask(path, headers);
  EXPECT_EQ(first.status, 401);
  EXPECT_EQ(
      first.headers.at("WWW-Authenticate"),
      R"(Bearer realm="http://127.0.0.1:9809/token",service="flox.local",scope="repository:acme/web:pull")");
  headers["authorization"] = "Bearer anonymous";
  const ServerResponse second = ask(path, headers);
  EXPECT_EQ(second.status, 422);
  EXPECT_THAT(second.reason, HasSubstr("no image with that digest"));
}

TEST_F(ImageRegistryTest, a_private_image_is_given_only_to_the_token_that_pulled_it) {
  EnvironmentImage image;
  image.environment = "acme/secret:1";
  image.name = "secret";
  image.lock.manifest = nlohmann::json::object();
  const auto open = images_.records().keep(image);
  image.is_private = true;
  const auto kept = images_.records().keep(image);
  std::map<std::string, std::string> headers = {{"x-flox-node-key", "key"},
                                                {"authorization", "Bearer anonymous"}};
  EXPECT_EQ(ask("/v2/acme/secret/manifests/sha256:" + open->manifest, headers).status, 200);
  for (const auto& [hex, bytes] : kept->layout.blobs)
    for (const char* who : {"Bearer anonymous", "Bearer other", "Basic eDp5"}) {
      headers["authorization"] = who;
      EXPECT_GE(ask("/v2/acme/secret/blobs/sha256:" + hex, headers).status, 400);
    }
}

class SlowGate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return is_open_; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }
  void let_go() {
    const std::scoped_lock lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool is_open_ = false;
};

// A registry whose images of the owner "slow" do not come before the gate is open.
class WaitingTest : public ImageRegistryTest {
 protected:
  ~WaitingTest() override {
    gate_.let_go();
    lane_.stop();
  }
  std::unique_ptr<ImageRegistry> registry(std::chrono::milliseconds patience = std::chrono::minutes(4)) {
    return std::make_unique<ImageRegistry>(
        images_, lane_,
        ImageRegistry::Options{
            .key = Secret("key"), .endpoint = "http://127.0.0.1:9809", .patience = patience},
        [this](const std::string& environment, const Secret&, const auto& on_resolved) {
          on_resolved(environment);
          if (environment.starts_with("slow/")) gate_.pass();
          EnvironmentImage image;
          image.environment = environment;
          image.name = "web";
          image.lock.manifest = nlohmann::json::object();
          return images_.records().keep(std::move(image));
        });
  }
  static ServerResponse ask(ImageRegistry& of, const std::string& name, const std::string& token = "") {
    std::map<std::string, std::string> headers = {{"x-flox-node-key", "key"}};
    if (!token.empty()) headers["authorization"] = "Bearer " + token;
    const size_t colon = name.find(':');
    return of.answer(
        {.method = "HEAD",
         .path = fmt::format("/v2/{}/manifests/{}", name.substr(0, colon), name.substr(colon + 1)),
         .query = {{"ns", "flox.local"}},
         .headers = std::move(headers)});
  }
  // The answer, whenever it comes.
  static std::future<ServerResponse> answer(ServerResponse response) {
    auto promise = std::make_shared<std::promise<ServerResponse>>();
    if (response.later)
      response.later([promise](ServerResponse later) { promise->set_value(std::move(later)); });
    else
      promise->set_value(std::move(response));
    return promise->get_future();
  }
  static bool comes(const std::future<ServerResponse>& answer) {
    return answer.wait_for(std::chrono::seconds(60)) == std::future_status::ready;
  }

  SlowGate gate_;
};

TEST_F(WaitingTest, an_owner_whose_images_do_not_come_holds_up_those_of_no_other) {
  const auto registry = this->registry();
  std::vector<std::future<ServerResponse>> slow;
  for (int i = 1; i <= 100; ++i) slow.push_back(answer(ask(*registry, fmt::format("slow/web:{}", i))));
  gate_.wait_for(4);  // half of the threads
  for (const char* name : {"acme/web:1", "acme/web:2", "other/web:1"}) {
    auto quick = answer(ask(*registry, name));
    ASSERT_TRUE(comes(quick)) << name;
    EXPECT_EQ(quick.get().status, 200);
  }
  // Whoever comes with a secret is somebody else than those who come without.
  auto secret = answer(ask(*registry, "acme/web:1", "token"));
  ASSERT_TRUE(comes(secret));
  gate_.let_go();
  for (auto& one : slow) {
    ASSERT_TRUE(comes(one));
    EXPECT_EQ(one.get().status, 200);
  }
}

TEST_F(WaitingTest, an_owner_gets_no_more_pulls_and_requests_than_leave_some_for_others) {
  const auto registry = this->registry();
  std::vector<std::future<ServerResponse>> slow;
  size_t refused = 0;
  for (int i = 1; i <= 300; ++i) {
    ServerResponse response = ask(*registry, fmt::format("slow/web:{}", i));
    if (!response.later) {
      ++refused;
      EXPECT_EQ(response.status, 503);
      EXPECT_THAT(response.reason, HasSubstr("for images of slow"));
    }
    slow.push_back(answer(std::move(response)));
  }
  EXPECT_EQ(refused, 300u - 128u);
  for (int i = 0; i < 300; ++i) slow.push_back(answer(ask(*registry, "slow/web:1")));  // of one pull
  EXPECT_EQ(ask(*registry, "slow/web:1").status, 503);
  auto other = answer(ask(*registry, "acme/web:1"));
  ASSERT_TRUE(comes(other));
  EXPECT_EQ(other.get().status, 200);
}

TEST_F(WaitingTest, a_client_that_goes_before_it_waits_leaves_its_place) {
  const auto registry = this->registry();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(ask(*registry, "slow/web:1").later);
}

TEST_F(WaitingTest, who_waits_when_floxd_stops_is_told_so_at_once) {
  const auto registry = this->registry();
  auto before = answer(ask(*registry, "slow/web:1"));
  registry->end_waiting();
  auto after = answer(ask(*registry, "slow/web:1"));
  for (auto* one : {&before, &after}) {
    ASSERT_TRUE(comes(*one));
    EXPECT_THAT(one->get().reason, HasSubstr("floxd is stopping"));
  }
}

TEST_F(WaitingTest, who_has_waited_long_enough_is_told_what_goes_on) {
  const auto registry = this->registry(std::chrono::milliseconds(20));
  for (int i = 0; i < 2; ++i) {
    auto late = answer(ask(*registry, "slow/web:1"));
    ASSERT_TRUE(comes(late));
    const ServerResponse response = late.get();
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(response.reason, HasSubstr("slow/web:1 is still being fetched after 1 s. It goes on"));
  }
  EXPECT_EQ(lane_.use().running, 1u);
}

}  // namespace
}  // namespace flox::node
