#include "trust/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "testing/error_of.h"

namespace flox::trust {
namespace {

TEST(TrustSettings, NameTheirDirectoriesOrHaveTheUsersOwn) {
  TrustSettings settings;
  EXPECT_FALSE(settings.allow_unsigned);
  settings.trust_dir = "/a";
  settings.trust_state_dir = "/b";
  EXPECT_EQ(settings.trust_directory(), "/a");
  EXPECT_EQ(settings.trust_state_directory(), "/b");
  const TrustSettings unset;
  if (::geteuid() == 0) {
    EXPECT_EQ(unset.trust_directory(), "/etc/flox/trust");
    EXPECT_EQ(unset.trust_state_directory(), "/var/lib/flox/trust");
    return;
  }
  ::setenv("XDG_CONFIG_HOME", "/config", 1);
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("HOME", "/home/x", 1);
  EXPECT_EQ(unset.trust_directory(), "/config/flox/trust");
  EXPECT_EQ(unset.trust_state_directory(), "/home/x/.local/state/flox/trust");
  ::unsetenv("HOME");
  EXPECT_EQ(error_of([&] { unset.trust_state_directory(); }),
            "trust_state_dir: neither XDG_STATE_HOME nor HOME says where it is");
}

}  // namespace
}  // namespace flox::trust
