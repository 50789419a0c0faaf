#include "ttrpc/socket.h"

#include <gtest/gtest.h>

#include "ttrpc/testing/test_server.h"

namespace flox::ttrpc {
namespace {

TEST_F(TtrpcTest, AListeningSocketIsNotTakenOverButAStaleOneIs) {
  EXPECT_THROW(listen_at(path_), Error);
  std::string stale = (directory_.path() / "stale").string();
  listen_at(stale).reset();
  EXPECT_NO_THROW(listen_at(stale));
  remove_if_stale(path_);
  EXPECT_TRUE(std::filesystem::exists(path_)) << "somebody listens there";
  remove_if_stale(stale);
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_NO_THROW(remove_if_stale(stale));
  EXPECT_THROW(listen_at(std::string(200, 'x')), Error);
}

}  // namespace
}  // namespace flox::ttrpc
