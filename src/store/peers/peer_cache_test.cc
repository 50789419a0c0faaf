#include "store/peers/peer_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "base/net/server/http_server.h"

namespace flox::store {
namespace {

using std::chrono::milliseconds;

// A file of a cache that is there at once.
class ReadyFile : public NarFile {
 public:
  bool read(std::string& /*piece*/) override { return false; }
  bool is_there() const override { return true; }
};

// A peer that gives some 300 kB a second of a NAR of 256 MiB, of which a test reads the beginning.
class PeerCacheTest : public testing::Test {
 protected:
  PeerCacheTest() {
    narinfo_.info.nar_hash = sha256("a");
    narinfo_.info.nar_size = size;
    pace_->patience = milliseconds(100);
    pace_->open_beginning = [this](const nix::PathInfo&) {
      ++measured_;
      return PeerPace::Beginning{.file = std::make_unique<ReadyFile>(), .bytes = 64 << 20};
    };
  }
  PeerCache cache() {
    return {fmt::format("127.0.0.1:{}", server_.port()), std::make_shared<const Secret>(std::string(32, 'k')),
            pool_, pace_};
  }
  // How much comes before the peer is given up; no more than `most`.
  static uint64_t read_from(NarFile& file, uint64_t most) {
    uint64_t bytes = 0;
    try {
      for (std::string piece; bytes < most && file.read(piece);) bytes += piece.size();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
    }
    return bytes;
  }

  static constexpr uint64_t size = 256 << 20;
  static constexpr uint64_t some = 1 << 20;
  HttpServer server_{{}, [](const ServerRequest&) {
                       ServerResponse response;
                       response.stream_size = size;
                       response.stream = [](const ByteSink& sink) {
                         for (uint64_t sent = 0; sent < size; sent += 16 << 10) {
                           std::this_thread::sleep_for(milliseconds(50));
                           sink(std::string(16 << 10, 'x'));
                         }
                       };
                       return response;
                     }};
  nix::NarInfo narinfo_{.info = {.path = nix::StorePath::from_base_name(std::string(32, 'a') + "-a")}};
  std::shared_ptr<PeerPace> pace_ = std::make_shared<PeerPace>();
  std::atomic<int> measured_ = 0;
  HttpPool pool_;
};

TEST_F(PeerCacheTest, a_large_path_is_not_left_to_a_peer_that_is_far_slower_than_a_cache) {
  const auto file = cache().open_nar(narinfo_, 1 << 20);
  EXPECT_LT(read_from(*file, some), some);
  EXPECT_EQ(measured_, 1);
  EXPECT_GT(pace_->cache_rate(), 0U);
  EXPECT_FALSE(pace_->is_measuring);
}

TEST_F(PeerCacheTest, a_cache_whose_rate_is_known_is_not_measured) {
  pace_->expect(200'000);
  const auto file = cache().open_nar(narinfo_, 1 << 20);
  EXPECT_GE(read_from(*file, some), some) << "a quarter of a cache's rate is enough";
  EXPECT_EQ(measured_, 0);
  pace_->expect(64 << 20);
  EXPECT_LT(read_from(*cache().open_nar(narinfo_, 1 << 20), some), some);
}

TEST_F(PeerCacheTest, what_no_cache_has_may_come_slowly) {
  pace_->expect(64 << 20);
  const auto file = cache().open_only(narinfo_, 1 << 20);
  EXPECT_GE(read_from(*file, some), some);
}

TEST_F(PeerCacheTest, is_asked_through_no_proxy) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  const auto file = cache().open_nar(narinfo_, 1 << 20);
  const uint64_t bytes = read_from(*file, 1);
  ::unsetenv("http_proxy");
  EXPECT_GT(bytes, 0U);
}

TEST(PeerPace, is_a_quarter_of_what_caches_give) {
  PeerPace pace;
  pace.cache_gave(1000, milliseconds(1));
  EXPECT_EQ(pace.cache_rate(), 0U) << "of few bytes the time says nothing";
  EXPECT_EQ(pace.least_rate(), least_peer_rate);
  pace.expect(1 << 20);
  EXPECT_EQ(pace.least_rate(), 256U << 10);
  pace.cache_gave(8 << 20, std::chrono::seconds(1));
  EXPECT_EQ(pace.least_rate(), 2U << 20);
}

}  // namespace
}  // namespace flox::store
