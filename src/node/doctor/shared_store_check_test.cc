#include "node/doctor/shared_store_check.h"

#include <gtest/gtest.h>

namespace flox::node {
namespace {

Severity severity_of(const Config& config, const std::string& metrics) {
  return worst(check_shared_store(config, metrics));
}

TEST(SharedStoreCheck, a_store_of_ones_own_is_well) { EXPECT_EQ(severity_of({}, ""), Severity::ok); }

TEST(SharedStoreCheck, a_writer_needs_an_address) {
  Config config;
  config.store_readers = true;
  EXPECT_EQ(severity_of(config, ""), Severity::error);
  config.peer_address = AddressPort{.address = "10.0.0.1", .port = 9810};
  EXPECT_EQ(severity_of(config, "flox_store_readers 3\n"), Severity::ok);
  EXPECT_NE(check_shared_store(config, "flox_store_readers 3\n")[0].text.find("3 other nodes"),
            std::string::npos);
}

TEST(SharedStoreCheck, a_reader_keeps_its_records_elsewhere_and_hears_the_writer) {
  Config config;
  config.store_writer = "10.0.0.1:9810";
  EXPECT_EQ(severity_of(config, "flox_store_writer_heard 1\n"), Severity::error)
      << "its root is that of the store";
  config.root = "/var/lib/flox/reader";
  EXPECT_EQ(severity_of(config, ""), Severity::warning);
  EXPECT_EQ(severity_of(config, "flox_store_writer_heard 0\n"), Severity::error);
  EXPECT_EQ(severity_of(config, "flox_store_writer_heard 1\n"), Severity::ok);
}

}  // namespace
}  // namespace flox::node
