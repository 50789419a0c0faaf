#include "store/fetch/installer.h"

#include <gtest/gtest.h>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

class InstallerTest : public RealiseTest {
 protected:
  RealiseOptions with_a_token() {
    RealiseOptions how = options({url("cache")});
    how.is_private = true;
    how.shared = &shared_;
    return how;
  }
  std::string offer(const StorePath& path) {
    v1::Call call;
    *call.mutable_offers()->add_offers()->mutable_narinfo() =
        to_message(nix::NarInfo::parse(read_file(narinfo("cache", path))));
    v1::OffersAnswer answer;
    answer.ParseFromString(installer_.on_call(call.SerializeAsString()));
    return answer.answers(0).has_refused() ? answer.answers(0).refused().message() : "";
  }
  void claim(const StorePath& path) {
    v1::Call call;
    call.mutable_claim()->add_paths(path.base_name());
    installer_.on_call(call.SerializeAsString());
  }

  LocalStore store_{node()};
  fs::path private_file_ = temp_.path() / "private";
  SharedPaths shared_{private_file_, [](std::string_view) { return true; }};
  RealiseOptions options_ = with_a_token();
  NarinfoCache memory_{temp_.path() / "narinfos.sqlite", {}};
  Installer installer_{store_, options_, memory_};
};

TEST_F(InstallerTest, nothing_private_is_fetched_before_it_is_written_down) {
  installer_.request({*lib_, *base_});
  ASSERT_EQ(offer(*lib_), "");
  fs::create_directory(private_file_);  // it cannot be written
  EXPECT_THROW(claim(*lib_), Error);
  EXPECT_THROW(claim(*lib_), Error) << "the second time, too";
  fs::remove(private_file_);
  claim(*lib_);
  EXPECT_TRUE(shared_.is_private(lib_->digest()));
}

TEST_F(InstallerTest, what_is_found_after_the_first_claim_is_written_down_too) {
  installer_.request({*lib_, *base_});
  ASSERT_EQ(offer(*lib_), "");
  claim(*lib_);
  ASSERT_EQ(offer(*base_), "");
  claim(*base_);
  EXPECT_TRUE(SharedPaths(private_file_, [](std::string_view) { return true; }).is_private(base_->digest()));
}

}  // namespace
}  // namespace flox::store
