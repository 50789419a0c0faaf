#include "node/floxd/containers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/os/file.h"

namespace flox::node {
namespace {

const std::set<std::string> ids{"aaa", "bbb"};

TEST(ContainerIn, IsTheOneWhoseCgroupItIs) {
  EXPECT_EQ(container_in("0::/kubepods/pod1/aaa\n", ids), "aaa");
  EXPECT_EQ(container_in("0::/kubepods.slice/pod1.slice/cri-containerd-bbb.scope\n", ids), "bbb");
  EXPECT_EQ(container_in("0::/user.slice\n", ids), "");
  EXPECT_EQ(container_in("", ids), "");
}

TEST(ContainerIn, NamesOfItsOwnMakingBelowItDoNotCount) {
  EXPECT_EQ(container_in("0::/kubepods/pod1/aaa/bbb\n", ids), "aaa");
  EXPECT_EQ(container_in("0::/kubepods/pod1/aaa/system.slice/docker-bbb.scope\n", ids), "aaa");
}

TEST(ContainerIn, PartsOfNamesDoNotCount) {
  EXPECT_EQ(container_in("0::/xaaa\n0::/aaax\n0::/aaa.scope\n0::/-aaa.scopes\n", ids), "");
}

TEST(ContainerIn, HierarchiesMustAgree) {
  EXPECT_EQ(container_in("3:cpu:/pod1/aaa\n2:memory:/pod1/aaa\n1:misc:/\n", ids), "aaa");
  EXPECT_EQ(container_in("3:cpu:/pod1/aaa\n2:memory:/pod2/bbb\n", ids), "");
  EXPECT_EQ(container_in("3:cpu:/pod1/aaa/bbb\n2:memory:/pod1/bbb\n", ids), "");
}

TEST(Containers, ALaterOneOfItsIdIsAnother) {
  const TempDir directory;
  Containers containers(directory.path() / "containers.json");
  Container first{.id = "aaa", .pod_id = "pod"};
  containers.expect(first);
  containers.add(first);
  EXPECT_TRUE(containers.is_current(first));
  EXPECT_TRUE(containers.prepared_now(first));
  const Containers later(directory.path() / "containers.json");
  EXPECT_FALSE(later.prepared_now(later.all().at("aaa")));
  EXPECT_EQ(containers.of_cgroups("0::/pod/aaa\n")->instance, first.instance);
  containers.remove("aaa");
  EXPECT_FALSE(containers.is_current(first));
  Container second{.id = "aaa", .pod_id = "other"};
  containers.expect(second);
  EXPECT_FALSE(containers.is_current(first));
  EXPECT_TRUE(containers.is_current(second));
}

TEST(Containers, WhatTheyRunIsKnownToOneThatStartsAgainAndUnknownInTheFileOfAnEarlierRelease) {
  const TempDir directory;
  const auto file = directory.path() / "containers.json";
  Container web{.id = "aaa", .pod_id = "pod"};
  web.environment = {.owner = "acme", .name = "web", .generation = 7};
  Containers(file).add(web);
  const RunEnvironment kept = Containers(file).all().at("aaa").environment;
  EXPECT_EQ(fmt::format("{}/{}:{}", kept.owner, kept.name, kept.generation), "acme/web:7");
  std::string text = read_file(file);
  for (const char* key : {"environment_owner", "environment_name", "environment_generation"})
    text.replace(text.find(key), 11, "environ_was");
  write_file(file, text);
  EXPECT_EQ(Containers(file).all().at("aaa").environment.generation, 0);
}

TEST(Tenant, IsTheNamespaceAndIsCalledByItsNameOrThePodWhereThereIsNone) {
  const Container in_namespace{.id = "aaa", .pod_id = "pod", .pod_namespace = "shop"};
  const Container in_none{.id = "aaa", .pod_id = "shop"};
  EXPECT_NE(tenant_of(in_namespace), tenant_of(in_none));
  EXPECT_EQ(name_of_tenant(tenant_of(in_namespace)), "shop");
  EXPECT_EQ(name_of_tenant(tenant_of(in_none)), "pod-shop");
  EXPECT_EQ(tenant_of({.id = "bbb", .pod_id = "other", .pod_namespace = "shop"}), tenant_of(in_namespace));
}

TEST(Containers, AreKnownToOneThatStartsAgainAndAFileThatIsNoneIsPassedOver) {
  const TempDir directory;
  const auto file = directory.path() / "containers.json";
  {
    Containers containers(file);
    Container container{.id = "aaa", .pod_id = "pod", .pod_namespace = "n"};
    containers.expect(container);
    containers.add(container);
  }
  EXPECT_EQ(Containers(file).all().at("aaa").pod_namespace, "n");
  for (const std::string& text : {std::string("{}"), std::string("[1]"), std::string("[{\"id\": 1}]"),
                                  std::string(1'000'000, '['), std::string("\xff")}) {
    write_file(file, text);
    EXPECT_TRUE(Containers(file).all().empty());
  }
}

}  // namespace
}  // namespace flox::node
