#include "server/pages/snippets.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

TEST(Snippets, ADeploymentHasAKubernetesNameAndAnyVersion) {
  const std::string yaml = deployment("Web_Server.2", "Web_Server.2@1.0\": x\n#", "web");
  EXPECT_NE(yaml.find("  name: \"web-server-2\"\n"), std::string::npos);
  EXPECT_NE(yaml.find("        flox.dev/environment: \"Web_Server.2@1.0\\\": x\\n#\"\n"), std::string::npos);
}

TEST(Snippets, ANameWithoutLettersIsStillOne) {
  EXPECT_NE(deployment("+++", "+++@1", "+++").find("  name: \"app\"\n"), std::string::npos);
}

TEST(Snippets, AShellReadsAWordAsItIs) {
  EXPECT_EQ(shell_word("web@1.0"), "web@1.0");
  EXPECT_EQ(shell_word("a'b; rm -rf $HOME"), "'a'\\''b; rm -rf $HOME'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(Snippets, ARollbackNamesTheGeneration) {
  EXPECT_EQ(rollback_command("acme/web:3"),
            "kubectl patch deployment NAME --patch "
            "'{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"flox.dev/environment\":\"acme/"
            "web:3\"}}}}}'");
}

}  // namespace
}  // namespace flox::server
