#include "package/debian/import_deb.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::package {
namespace {

TEST(ImportDeb, WhatIsWantedMayNameAVersion) {
  EXPECT_EQ(WantedPackage::parse("nodejs").version, "");
  EXPECT_EQ(WantedPackage::parse("nodejs=18.20.4+dfsg-1~deb12u1").name, "nodejs");
  EXPECT_EQ(WantedPackage::parse("nodejs=18.20.4+dfsg-1~deb12u1").version, "18.20.4+dfsg-1~deb12u1");
  EXPECT_THROW(WantedPackage::parse("nodejs="), Error);
}

}  // namespace
}  // namespace flox::package
