#include "store/fetch/ask_caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class AskCachesTest : public HttpRealiseTest {
 protected:
  PathInfo info(const StorePath& path) const {
    return LocalStore(temp_.path() / "publisher").query(path).value();
  }
  std::vector<std::string> ask(const std::vector<PathInfo>& infos, const RealiseOptions& how) {
    std::vector<std::string> shown;
    ask_caches(infos, how, [&](const PathInfo& info) { shown.push_back(info.path.to_string()); });
    return shown;
  }
};

TEST_F(AskCachesTest, says_what_they_show_and_fetches_nothing) {
  fs::remove(narinfo("cache", *base_));
  EXPECT_THAT(ask({info(*app_), info(*lib_), info(*base_)}, http_options()),
              UnorderedElementsAre(app_->to_string(), lib_->to_string()));
  EXPECT_EQ(narinfos_, 3);
  EXPECT_EQ(nars_, 0);
}

TEST_F(AskCachesTest, other_contents_do_not_count_and_another_cache_is_asked) {
  PathInfo other = info(*lib_);
  other.nar_hash = sha256("other");
  EXPECT_THAT(ask({other}, http_options()), IsEmpty());
  fs::remove(narinfo("cache", *lib_));
  upload("second");
  RealiseOptions both = http_options();
  both.caches.push_back(url("second"));
  EXPECT_THAT(ask({info(*lib_)}, both), ElementsAre(lib_->to_string()));
}

TEST_F(AskCachesTest, what_only_a_cache_that_is_away_could_know_keeps_no_answer_back) {
  RealiseOptions how = http_options();
  how.caches.insert(how.caches.begin(), "http://127.0.0.1:1");
  how.workers = 1;
  fs::remove(narinfo("cache", *app_));
  fs::remove(narinfo("cache", *lib_));
  std::vector<std::string> shown;
  EXPECT_THROW(ask_caches({info(*app_), info(*lib_), info(*base_)}, how,
                          [&](const PathInfo& info) { shown.push_back(info.path.to_string()); }),
               Error);
  EXPECT_THAT(shown, ElementsAre(base_->to_string()));
}

TEST_F(AskCachesTest, a_cache_that_does_not_answer_is_said_after_what_others_have_shown) {
  RealiseOptions how = http_options();
  how.caches.insert(how.caches.begin(), "http://127.0.0.1:1");
  EXPECT_THAT(ask({info(*lib_)}, how), ElementsAre(lib_->to_string()));
  fs::remove(narinfo("cache", *base_));
  try {
    ask({info(*base_)}, how);
    ADD_FAILURE() << "nobody knows whether the first cache has it";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
}

}  // namespace
}  // namespace flox::store
