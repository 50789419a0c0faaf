#include "kube/reading/names.h"

#include <gmock/gmock.h>

namespace flox::kube {
namespace {

TEST(Names, of_objects_are_dns_subdomains) {
  for (const char* good : {"a", "a-b", "a.b-c.d", "0"}) EXPECT_TRUE(is_dns_subdomain(good)) << good;
  for (const char* bad : {"", ".", "..", "a..b", "a.", ".a", "-a", "a-", "a.-b", "A", "a/b", "../a", "a_b"})
    EXPECT_FALSE(is_dns_subdomain(bad)) << bad;
  EXPECT_FALSE(is_dns_subdomain(std::string(254, 'a')));
}

TEST(Names, of_volumes_containers_and_namespaces_are_dns_labels) {
  EXPECT_TRUE(is_dns_label("a-1"));
  for (const char* bad : {"", "a.b", "..", "a/b", "-", "a\n"}) EXPECT_FALSE(is_dns_label(bad)) << bad;
  EXPECT_FALSE(is_dns_label(std::string(64, 'a')));
}

TEST(Names, keys_of_config_maps_can_be_file_names) {
  for (const char* good : {"a", "A_b-c.d", ".hidden", "a..b"}) EXPECT_TRUE(is_data_key(good)) << good;
  for (const char* bad : {"", ".", "..", "..data", "../../x", "/tmp/x", "a/b", "a b", "a\\b"})
    EXPECT_FALSE(is_data_key(bad)) << bad;
  EXPECT_FALSE(is_data_key(std::string(254, 'a')));
  EXPECT_FALSE(is_data_key(std::string_view("a\0b", 3)));
}

TEST(Names, paths_stay_below) {
  for (const char* good : {"a", "a/b", "a/..b", "./a", "a//b"}) EXPECT_TRUE(is_descending_path(good)) << good;
  for (const char* bad : {"", "/a", "..", "../a", "a/..", "a/../b"})
    EXPECT_FALSE(is_descending_path(bad)) << bad;
  EXPECT_FALSE(is_item_path("..data/x"));
  EXPECT_TRUE(is_host_path("/a/b"));
  for (const char* bad : {"", "a", "/a/../b", "/.."}) EXPECT_FALSE(is_host_path(bad)) << bad;
}

TEST(Names, of_labels_and_ports) {
  EXPECT_TRUE(is_qualified_name("example.com/App_1.x"));
  for (const char* bad : {"", "/a", "a/", "a/b/c", "Ex.com/a", "-a"})
    EXPECT_FALSE(is_qualified_name(bad)) << bad;
  EXPECT_TRUE(is_port("8080") && is_port("http"));
  for (const char* bad : {"", "0", "65536", "8080/@host", "-a", "Http"}) EXPECT_FALSE(is_port(bad)) << bad;
}

}  // namespace
}  // namespace flox::kube
