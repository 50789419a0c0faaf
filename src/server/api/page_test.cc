#include "server/api/page.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "catalog/choice.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using catalog::PackageBuild;
using nlohmann::json;

// Versions of web, newest first, as the catalog shows them.
std::vector<PackageBuild> versions(const std::vector<std::string>& numbers) {
  std::vector<PackageBuild> builds;
  for (const auto& number : numbers) builds.push_back(build("web", number));
  std::ranges::sort(builds, catalog::goes_before);
  return builds;
}

struct Answer {
  std::vector<std::string> versions;
  std::string next, link;
};

Answer ask(const std::vector<PackageBuild>& builds, std::map<std::string, std::string> query) {
  const ServerRequest request{.method = "GET", .path = "/list", .query = std::move(query)};
  const Route route{
      .method = "GET", .path = "/list", .scope = Scope::anyone, .body = {}, .handle = {}, .segments = {}};
  const Call call(request, route, {});
  const ServerResponse response = page_of(builds, call);
  const json document = json::parse(response.body);
  EXPECT_EQ(document.at("total_count"), builds.size());
  Answer answer{.versions = {}, .next = document.value("next", ""), .link = {}};
  for (const auto& item : document.at("items")) answer.versions.push_back(item.at("version"));
  if (const auto link = response.headers.find("Link"); link != response.headers.end())
    answer.link = link->second;
  return answer;
}

using Versions = std::vector<std::string>;

TEST(Page, a_cursor_leads_through_the_whole_list) {
  const auto builds = versions({"1.0", "1.9", "1.10", "2.0", "2.0-rc1"});
  const Answer first = ask(builds, {{"page_size", "2"}, {"search_term", "a&b"}});
  EXPECT_EQ(first.versions, (Versions{"2.0", "2.0-rc1"}));
  EXPECT_EQ(first.link, "<?page_size=2&search_term=a%26b&cursor=" + first.next + ">; rel=\"next\"");
  const Answer second = ask(builds, {{"page_size", "2"}, {"cursor", first.next}});
  EXPECT_EQ(second.versions, (Versions{"1.10", "1.9"}));
  const Answer last = ask(builds, {{"page_size", "2"}, {"cursor", second.next}});
  EXPECT_EQ(last.versions, (Versions{"1.0"}));
  EXPECT_EQ(last.next, "");
  EXPECT_EQ(last.link, "");
}

TEST(Page, what_stays_is_shown_once_while_others_publish_and_take_back) {
  const Answer first = ask(versions({"1.0", "2.0", "3.0"}), {{"page_size", "2"}});
  EXPECT_EQ(first.versions, (Versions{"3.0", "2.0"}));
  EXPECT_EQ(ask(versions({"1.0", "2.0", "3.0", "4.0", "5.0"}), {{"cursor", first.next}}).versions,
            (Versions{"1.0"}));
  EXPECT_EQ(ask(versions({"0.9", "1.0", "3.0"}), {{"cursor", first.next}}).versions,
            (Versions{"1.0", "0.9"}));
  // Pages that are counted show one twice.
  EXPECT_EQ(ask(versions({"1.0", "2.0", "3.0", "4.0"}), {{"page_size", "2"}, {"page", "2"}}).versions,
            (Versions{"2.0", "1.0"}));
}

TEST(Page, pages_that_are_counted_have_links_both_ways) {
  const auto builds = versions({"1", "2", "3"});
  EXPECT_EQ(ask(builds, {{"page", "1"}, {"page_size", "2"}}).link, "<?page_size=2&page=2>; rel=\"next\"");
  const Answer second = ask(builds, {{"page", "2"}, {"page_size", "2"}});
  EXPECT_EQ(second.versions, (Versions{"1"}));
  EXPECT_EQ(second.link, "<?page_size=2&page=1>; rel=\"prev\"");
  EXPECT_TRUE(ask(builds, {{"page", "1000000"}, {"page_size", "1000"}}).versions.empty());
}

TEST(Page, what_is_no_page_is_refused) {
  const auto builds = versions({"1"});
  EXPECT_THROW(ask(builds, {{"cursor", to_cursor({"web", "1", "x"})}}), Error);
  EXPECT_THROW(ask(builds, {{"cursor", to_cursor({"web", "1", "x", ""})}, {"page", "2"}}), Error);
  for (const char* bad : {"0", "-1", "1001", "x"})
    EXPECT_THROW(ask(builds, {{"page_size", bad}}), Error) << bad;
}

}  // namespace
}  // namespace flox::server
