#include <gtest/gtest.h>

#include "nix/cache_layout.h"
#include "server/testing/api.h"

namespace flox::server {
namespace {

class HotFileTest : public ApiCallTest {
 protected:
  static ServerRequest request_for(char digit) {
    return {.method = "GET", .path = "/cache/" + nix::narinfo_name(path(digit)), .headers = {{"host", "c"}}};
  }
  std::string asked(char digit) { return std::string(api_.handle(request_for(digit)).text()); }
  // Nothing if a handler must answer.
  std::string at_once(const ServerRequest& request) {
    const auto response = api_.at_once(request);
    return response ? std::string(response->text()) : "";
  }
};

TEST_F(HotFileTest, is_answered_at_once_after_a_handler_has_answered_it) {
  upload('0', "library");
  EXPECT_EQ(at_once(request_for('0')), "");
  const std::string text = asked('0');
  EXPECT_EQ(text, cache_.narinfo(path('0'))->to_string());
  EXPECT_EQ(at_once(request_for('0')), text);
  EXPECT_EQ(api_.at_once(request_for('0'))->content_type, api_.handle(request_for('0')).content_type);
  EXPECT_EQ(at_once(request_for('1')), "");
  EXPECT_EQ(at_once({.method = "GET", .path = "/" + nix::narinfo_name(path('0'))}), "");
}

TEST_F(HotFileTest, has_a_signature_as_soon_as_that_is_uploaded) {
  nix::NarInfo narinfo = upload('0', "library");
  asked('0');
  accept(narinfo, other_);
  EXPECT_EQ(at_once(request_for('0')), "");
  EXPECT_EQ(signatures('0').size(), 2u);
  EXPECT_EQ(asked('0'), cache_.narinfo(path('0'))->to_string());
}

TEST_F(HotFileTest, is_never_one_that_not_everyone_may_read) {
  const auto narinfo = upload('0', "library");
  accounts_.readers.restrict_to(nix::narinfo_name(path('0')), "acme");
  EXPECT_EQ(refusal([&] { asked('0'); }), ErrorKind::not_found);
  ServerRequest request = request_for('0');
  request.headers["authorization"] = "Bearer secret";
  EXPECT_EQ(api_.handle(request).text(), cache_.narinfo(path('0'))->to_string());
  EXPECT_EQ(at_once(request), "");
  EXPECT_EQ(at_once(request_for('0')), "");
  // Once it is everyone's, it may be.
  accounts_.readers.make_public({nix::narinfo_name(path('0'))});
  asked('0');
  EXPECT_NE(at_once(request_for('0')), "");
}

TEST_F(HotFileTest, is_left_to_a_handler_if_the_request_has_a_token_or_a_condition) {
  upload('0', "library");
  asked('0');
  for (const char* field : {"authorization", "if-none-match", "if-modified-since", "range"}) {
    ServerRequest request = request_for('0');
    request.headers[field] = "x";
    EXPECT_EQ(at_once(request), "") << field;
  }
}

TEST_F(HotFileTest, that_is_damaged_is_served_as_it_is) {
  upload('0', "library");
  if (TestStore::in_bucket()) GTEST_SKIP() << "the test damages a file of a directory";
  write_file(dir_.path() / "cache" / nix::narinfo_name(path('0')),
             std::string(nix::max_narinfo_size + 1, 'x'));
  EXPECT_TRUE(api_.handle(request_for('0')).body_file);
  EXPECT_EQ(at_once(request_for('0')), "");
}

TEST_F(HotFileTest, is_a_nar_if_that_is_small_and_comes_from_here) {
  if (TestStore::in_bucket()) GTEST_SKIP() << "a bucket's NARs are fetched from it";
  const auto asked_twice = [&](const std::string& name) {
    const ServerRequest request{.method = "GET", .path = "/cache/" + name};
    api_.handle(request);
    return at_once(request);
  };
  EXPECT_EQ(asked_twice(upload('0', "library").url), "library");
  const std::string most(HotFiles::largest, 'x');
  EXPECT_EQ(asked_twice(upload('1', most).url), most);
  EXPECT_EQ(asked_twice(upload('2', most + "x").url), "");
}

TEST_F(HotFileTest, is_a_large_nar_that_stays_open_and_may_be_asked_for_from_its_middle) {
  if (TestStore::in_bucket()) GTEST_SKIP() << "a bucket's NARs are fetched from it";
  const std::string name = upload('0', std::string(HotFiles::largest + 1, 'x')).url;
  const ServerRequest request{.method = "GET", .path = "/cache/" + name};
  const ServerResponse first = api_.handle(request);
  ASSERT_TRUE(first.shared_file);
  EXPECT_EQ(first.headers.at("Accept-Ranges"), "bytes");
  const auto next = api_.at_once(request);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->shared_file, first.shared_file);
  EXPECT_EQ(next->headers.at("Accept-Ranges"), "bytes");
  EXPECT_EQ(next->headers.at("ETag"), first.headers.at("ETag"));
}

}  // namespace
}  // namespace flox::server
