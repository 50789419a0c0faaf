#include "store/peers/peer_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/error.h"
#include "base/net/http_client.h"
#include "store/peers/peer_cache.h"
#include "store/peers/peer_proof.h"
#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::HasSubstr;

const Secret group_key(std::string(32, 'k'));

// A node's floxd, as its peers see it, and its store.
class PeerNode {
 public:
  PeerNode(const fs::path& root, size_t transfers, nix::TrustedKeys public_keys = {})
      : store_(root),
        known_(root / "public-paths.sqlite",
               [this](std::string_view digest) { return store_.find(digest).has_value(); }),
        server_(store_, shared_, known_,
                {.keys = {.of_all = {group_key}},
                 .public_keys = std::move(public_keys),
                 .transfers = transfers,
                 .sent = [this](uint64_t bytes) { sent_ += bytes; }}),
        http_({.max_body = largest_peer_question,
               .admit = [this](const ServerRequest& request) { server_.admit(request); }},
              [this](const ServerRequest& request) { return server_.answer(request); }) {}

  LocalStore& store() { return store_; }
  SharedPaths& shared() { return shared_; }
  PublicPaths& known() { return known_; }
  std::string address() const { return fmt::format("127.0.0.1:{}", http_.port()); }
  uint64_t sent() const { return sent_; }

 private:
  LocalStore store_;
  SharedPaths shared_;
  PublicPaths known_;
  std::atomic<uint64_t> sent_ = 0;
  PeerServer server_;
  HttpServer http_;
};

class PeerServerTest : public RealiseTest {
 protected:
  PeerServerTest() { write_file(key_file(), group_key.reveal(), 0600); }
  fs::path key_file() const { return temp_.path() / "peers.key"; }
  RealiseOptions with_peer(PeerNode& self, const std::string& address, std::vector<std::string> caches) {
    RealiseOptions options{.caches = std::move(caches)};
    options.trusted_keys.add(key_.public_key());
    options.peers = {.places = {address}, .key_file = key_file()};
    options.shared = &self.shared();
    options.known_public = &self.known();
    return options;
  }
  // What a request is answered, with a proof of that key, made for another address if `to` is one; without a
  // proof, if the key is empty.
  HttpResponse ask(const PeerNode& node, const Secret& with, const std::string& path,
                   const std::string& body = {}, const std::string& to = {}) const {
    HttpRequest request{.method = body.empty() ? "GET" : "POST",
                        .url = "http://" + node.address() + path,
                        .body = body,
                        .max_body = BodyLimit(1 << 20)};
    if (!with.empty())
      request.headers.emplace_back("Authorization", make_peer_proof(with,
                                                                    {.method = request.method,
                                                                     .path = path,
                                                                     .to = to.empty() ? node.address() : to,
                                                                     .body = sha256(body)},
                                                                    std::chrono::system_clock::now()));
    return HttpClient().send(request);
  }
  PathInfo info(const LocalStore& store) const { return store.query(*app_).value(); }

  PeerNode one_{temp_.path() / "one", 8};
  PeerNode two_{temp_.path() / "two", 8};
};

TEST_F(PeerServerTest, what_a_peer_has_comes_from_it) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  fs::remove_all(temp_.path() / "cache/nar");
  const RealiseResult result =
      realise(two_.store(), {*app_}, with_peer(two_, one_.address(), {url("cache")}));
  EXPECT_EQ(result.paths_fetched, 3U);
  ASSERT_EQ(result.peers.size(), 1U);
  EXPECT_EQ(result.peers.front().paths, 3U);
  EXPECT_FALSE(result.peers.front().failed);
  EXPECT_EQ(result.bytes_from_peers, one_.sent());
  EXPECT_EQ(info(two_.store()).signatures, info(one_.store()).signatures) << "they are given on";
}

TEST_F(PeerServerTest, when_no_cache_answers_peers_say_what_they_have_as_well) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  realise(two_.store(), {*app_}, with_peer(two_, one_.address(), {"http://127.0.0.1:1"}));
  EXPECT_TRUE(two_.store().is_valid(*app_));
}

TEST_F(PeerServerTest, what_a_cache_does_not_show_is_not_got_from_peers) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  fs::create_directories(temp_.path() / "empty");
  EXPECT_THROW(realise(two_.store(), {*app_}, with_peer(two_, one_.address(), {url("empty")})), Error);
}

TEST_F(PeerServerTest, what_one_cache_does_not_show_is_not_got_from_peers_while_another_is_down) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  fs::create_directories(temp_.path() / "empty");
  for (const std::vector<std::string>& caches :
       {std::vector<std::string>{"http://127.0.0.1:1", url("empty")}, {url("empty"), "http://127.0.0.1:1"}})
    EXPECT_THROW(realise(two_.store(), {*app_}, with_peer(two_, one_.address(), caches)), Error);
}

TEST_F(PeerServerTest, what_came_with_a_token_of_somebodys_own_is_not_told_of) {
  RealiseOptions options = with_peer(one_, two_.address(), {url("cache")});
  options.is_private = true;
  realise(one_.store(), {*app_}, options);
  EXPECT_THROW(realise(two_.store(), {*app_}, with_peer(two_, one_.address(), {"http://127.0.0.1:1"})),
               Error);
  const std::string narinfo = "/" + std::string(app_->digest()) + ".narinfo";
  EXPECT_EQ(ask(one_, group_key, narinfo).status, 404);
  // Who has the narinfo of a cache gets it.
  const RealiseResult result =
      realise(two_.store(), {*app_}, with_peer(two_, one_.address(), {url("cache")}));
  EXPECT_EQ(result.peers.front().paths, 3U);
}

TEST_F(PeerServerTest, what_is_in_the_store_and_nobody_has_said_that_it_is_public_is_not_told_of) {
  const std::string narinfo = "/" + std::string(app_->digest()) + ".narinfo";
  RealiseOptions options = with_peer(one_, two_.address(), {url("cache")});
  options.known_public = nullptr;  // as another program does it
  options.shared = nullptr;
  options.peers = {};
  realise(one_.store(), {*app_}, options);
  const HttpResponse refusal = ask(one_, group_key, narinfo);
  EXPECT_EQ(refusal.status, 404);
  EXPECT_THAT(refusal.body, HasSubstr("no path with the digest")) << "as for what is not there";
  one_.known().add({info(one_.store())});
  EXPECT_EQ(ask(one_, group_key, narinfo).status, 200);
}

TEST_F(PeerServerTest, what_a_key_has_signed_of_whom_all_is_public_is_told_of_and_no_name_of_a_key_suffices) {
  const std::string narinfo = "/" + std::string(app_->digest()) + ".narinfo";
  nix::TrustedKeys right, another;
  right.add(key_.public_key());
  another.add(nix::SecretKey::generate(key_.name).public_key());
  PeerNode open(temp_.path() / "open", 8, right), closed(temp_.path() / "closed", 8, another);
  for (PeerNode* const node : {&open, &closed}) {
    RealiseOptions options = with_peer(*node, two_.address(), {url("cache")});
    options.is_private = true;
    realise(node->store(), {*app_}, options);
  }
  EXPECT_EQ(ask(open, group_key, narinfo).status, 200);
  EXPECT_EQ(ask(closed, group_key, narinfo).status, 404);
}

TEST_F(PeerServerTest, what_only_a_peer_has_said_is_not_told_on) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  realise(two_.store(), {*app_}, with_peer(two_, one_.address(), {"http://127.0.0.1:1"}));
  EXPECT_EQ(ask(two_, group_key, "/" + std::string(app_->digest()) + ".narinfo").status, 404);
}

TEST_F(PeerServerTest, whoever_lacks_the_key_gets_one_answer_to_everything) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  const std::string name = peer_name(info(one_.store()));
  const Secret other(std::string(32, 'o'));
  std::set<std::string> bodies;
  for (const std::string& path :
       {"/nar/" + name + ".nar", "/nar/" + std::string(32, 'a') + name.substr(32) + ".nar",
        "/" + name.substr(0, 32) + ".narinfo", "/" + std::string(32, 'a') + ".narinfo",
        std::string("/nix-cache-info"), std::string("/"), std::string("/peer/has")})
    for (const Secret& with : {Secret(), other}) {
      const HttpResponse response = ask(one_, with, path);
      EXPECT_EQ(response.status, 403) << path;
      bodies.insert(response.body);
    }
  EXPECT_EQ(ask(one_, other, "/peer/has", name + "\n").status, 403);
  EXPECT_EQ(bodies.size(), 1U);
}

TEST_F(PeerServerTest, a_proof_that_was_sent_to_another_node_is_none) {
  EXPECT_EQ(ask(one_, group_key, "/peer/has", "", two_.address()).status, 403);
  EXPECT_EQ(ask(one_, group_key, "/peer/has", "", one_.address()).status, 200);
}

TEST_F(PeerServerTest, answers_nothing_but_paths_to_who_has_the_key) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  const std::string name = peer_name(info(one_.store()));
  EXPECT_THAT(
      ask(one_, group_key, "/peer/has", name + "\n" + std::string(32, 'a') + name.substr(32) + "\n").body,
      HasSubstr("\nh-\n"));
  EXPECT_EQ(ask(one_, group_key, "/nar/" + name + ".nar").body.size(), info(one_.store()).nar_size);
  EXPECT_EQ(ask(one_, group_key, "/peer/has", "nonsense\n").status, 400);
  for (const std::string& path :
       {"/" + name.substr(0, 32) + ".ls", std::string("/nar/x.nar"), std::string("/nix-cache-info"),
        "/nar/" + name + ".nar.zst", std::string("/")})
    EXPECT_EQ(ask(one_, group_key, path).status, 404) << path;
}

TEST_F(PeerServerTest, a_peer_that_asks_too_often_is_told_to_come_later) {
  int busy = 0;
  PeerServer server(one_.store(), one_.shared(), one_.known(),
                    {.keys = {.of_all = {group_key}}, .questions = 3, .busy = [&] { ++busy; }});
  const auto ask_from = [&](const std::string& peer) {
    ServerRequest request{.method = "POST", .path = "/peer/has", .peer = peer, .local = "127.0.0.1:1"};
    request.headers["authorization"] = make_peer_proof(
        group_key, {.method = "POST", .path = "/peer/has", .to = "127.0.0.1:1", .body = sha256("")},
        std::chrono::system_clock::now());
    try {
      return server.answer(request).status;
    } catch (const StatusError& error) {
      return error.status();
    }
  };
  int refused = 0;
  for (int i = 0; i < 100; ++i)
    if (ask_from("10.0.0.1") == 503) ++refused;
  EXPECT_GT(refused, 0);
  EXPECT_EQ(busy, refused);
  EXPECT_EQ(ask_from("10.0.0.2"), 200) << "another peer is not held up by it";
}

TEST_F(PeerServerTest, gives_what_is_fetched_before_it_is_in_the_store) {
  LocalStore publisher(temp_.path() / "publisher");
  const PathInfo staged = info(publisher);
  SharedPaths::Realisation realisation(one_.shared());
  realisation.plan(staged);
  const std::string name = peer_name(staged);
  EXPECT_THAT(ask(one_, group_key, "/peer/has", name + "\n").body, HasSubstr("\np\n"));
  EXPECT_EQ(ask(one_, group_key, "/nar/" + name + ".nar").status, 404);
  realisation.fetching(staged);
  EXPECT_THAT(ask(one_, group_key, "/peer/has", name + "\n").body, HasSubstr("\nf\n"));
  realisation.present(staged, publisher.real_path(*app_));
  EXPECT_THAT(ask(one_, group_key, "/peer/has", name + "\n").body, HasSubstr("\nh\n"));
  EXPECT_EQ(sha256(ask(one_, group_key, "/nar/" + name + ".nar").body), staged.nar_hash);
}

TEST_F(PeerServerTest, a_peer_that_gives_other_contents_is_not_believed_and_known_for_it) {
  LocalStore publisher(temp_.path() / "publisher");
  const PathInfo real = publisher.query(*base_).value();
  SharedPaths::Realisation realisation(one_.shared());
  realisation.plan(real);
  realisation.present(real, write("base", std::string(100'000, 'x')));  // of the same size
  const RealiseResult result =
      realise(two_.store(), {*base_}, with_peer(two_, one_.address(), {url("cache")}));
  EXPECT_GT(one_.sent(), 100'000U);
  EXPECT_EQ(two_.store().query(*base_)->nar_hash, real.nar_hash);
  ASSERT_EQ(result.peers.size(), 1U);
  EXPECT_TRUE(result.peers.front().lied);
  EXPECT_EQ(result.peers.front().paths, 0U);
}

TEST_F(PeerServerTest, what_peers_did_is_told_of_a_realisation_that_fails_too) {
  LocalStore publisher(temp_.path() / "publisher");
  const PathInfo real = publisher.query(*base_).value();
  SharedPaths::Realisation realisation(one_.shared());
  realisation.plan(real);
  realisation.present(real, write("base", std::string(100'000, 'x')));
  fs::remove_all(temp_.path() / "cache/nar");
  std::vector<PeerUse> told;
  RealiseOptions options = with_peer(two_, one_.address(), {url("cache")});
  options.peers.on_end = [&](const std::vector<PeerUse>& use, uint64_t) { told = use; };
  EXPECT_THROW(realise(two_.store(), {*base_}, options), Error);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told.front().lied);
}

TEST_F(PeerServerTest, a_key_that_is_missing_or_another_leaves_the_caches) {
  realise(one_.store(), {*app_}, with_peer(one_, two_.address(), {url("cache")}));
  RealiseOptions options = with_peer(two_, one_.address(), {url("cache")});
  write_file(key_file(), std::string(64, 'x'), 0600);
  EXPECT_EQ(realise(two_.store(), {*app_}, options).paths_fetched, 3U);
  EXPECT_EQ(one_.sent(), 0U);
  PeerNode three(temp_.path() / "three", 8);
  options = with_peer(three, one_.address(), {url("cache")});
  fs::remove(key_file());
  EXPECT_EQ(realise(three.store(), {*app_}, options).paths_fetched, 3U);
}

TEST(SendingRate, lets_no_more_pass_than_it_says) {
  SendingRate rate(1'000'000);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) rate.pass(50'000, {});
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(190));
}

// It would wait for days otherwise, and the test with it.
TEST(SendingRate, whoever_waits_ends_at_once_when_it_is_stopped) {
  SendingRate rate(1);
  std::stop_source stop;
  rate.pass(1'000'000, stop.get_token());
  std::promise<void> waits;
  std::jthread sender([&] {
    waits.set_value();
    EXPECT_THROW(rate.pass(1, stop.get_token()), Error);
  });
  waits.get_future().wait();
  stop.request_stop();
  sender.join();
  EXPECT_THROW(rate.pass(1, stop.get_token()), Error);
}

class PeerKeysTest : public PeerServerTest {
 protected:
  // The node as which a request is admitted that is proved with that key, or that it is refused.
  std::string admitted(const std::string& path, const Secret& with, const std::string& node = {}) const {
    ServerRequest request{.method = "POST", .path = path, .peer = "10.0.0.1", .local = "127.0.0.1:1"};
    request.headers["authorization"] =
        make_peer_proof(with, {.method = "POST", .path = path, .to = "127.0.0.1:1", .body = sha256("")},
                        std::chrono::system_clock::now());
    if (!node.empty()) request.headers[peer_node_field] = node;
    try {
      return "as '" + server_.prover(request).node + "'";
    } catch (const StatusError& error) {
      return std::to_string(error.status());
    }
  }

  const Secret second_{std::string(32, 's')}, own_{std::string(32, 'o')}, others_{std::string(32, 'p')};
  PeerServer server_{one_.store(),
                     one_.shared(),
                     one_.known(),
                     {.keys = {.of_all = {group_key, second_}}, .readers_prefix = "/shared/"}};
};

TEST_F(PeerKeysTest, each_key_of_all_nodes_counts_until_it_is_taken_out) {
  EXPECT_EQ(admitted("/peer/has", group_key), "as ''");
  EXPECT_EQ(admitted("/peer/has", second_), "as ''");
  EXPECT_EQ(admitted("/shared/hello", group_key), "as ''") << "no reader has a key of its own";
  server_.set_keys({.of_all = {second_}});
  EXPECT_EQ(admitted("/peer/has", group_key), "403");
  EXPECT_EQ(admitted("/peer/has", second_), "as ''");
}

TEST_F(PeerKeysTest, a_reader_with_a_key_of_its_own_is_known_by_it_and_can_be_shut_out_alone) {
  server_.set_keys({.of_all = {group_key}, .of_readers = {{"one", {own_, second_}}, {"two", {others_}}}});
  EXPECT_EQ(admitted("/shared/hello", own_, "one"), "as 'one'");
  EXPECT_EQ(admitted("/shared/hello", second_, "one"), "as 'one'");
  EXPECT_EQ(admitted("/shared/hello", own_, "two"), "403") << "that is the other one's name";
  EXPECT_EQ(admitted("/shared/hello", own_), "403");
  EXPECT_EQ(admitted("/shared/hello", group_key, "one"), "403") << "what all nodes have says who nobody is";
  EXPECT_EQ(admitted("/peer/has", own_, "one"), "403") << "it reads the store, and is no peer";
  server_.set_keys({.of_all = {group_key}, .of_readers = {{"two", {others_}}}});
  EXPECT_EQ(admitted("/shared/hello", own_, "one"), "403");
  EXPECT_EQ(admitted("/shared/hello", others_, "two"), "as 'two'");
}

}  // namespace
}  // namespace flox::store
