// The names in which shims and floxd of different releases find each other (docs/reference/node-protocol.md).
#include <gtest/gtest.h>

#include <string>

#include "protocol/node.ttrpc.h"
#include "protocol/pod.ttrpc.h"
#include "protocol/status.ttrpc.h"

namespace flox {
namespace {

template <typename Method>
std::string name_of(const Method& method) {
  return std::string(method.service) + "/" + method.name;
}

TEST(NodeProtocol, KeepsTheNamesThatOtherReleasesCall) {
  EXPECT_EQ(name_of(node::v1::Node::Prepare), "flox.node.v1.Node/Prepare");
  EXPECT_EQ(name_of(node::v1::Node::Release), "flox.node.v1.Node/Release");
  EXPECT_EQ(name_of(pod::v1::Pod::DefaultEnvironment), "flox.pod.v1.Pod/DefaultEnvironment");
  EXPECT_EQ(name_of(pod::v1::Pod::Resolve), "flox.pod.v1.Pod/Resolve");
  EXPECT_EQ(name_of(pod::v1::Pod::Realise), "flox.pod.v1.Pod/Realise");
  EXPECT_EQ(name_of(status::v1::Status::Daemon), "flox.status.v1.Status/Daemon");
  EXPECT_EQ(name_of(status::v1::Status::Starts), "flox.status.v1.Status/Starts");
}

}  // namespace
}  // namespace flox
