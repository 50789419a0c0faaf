// Records for tests.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/os/file.h"
#include "server/api/resolve.h"
#include "server/records/holdings.h"
#include "server/records/mirrored_owners.h"
#include "server/records/records.h"
#include "server/testing/database.h"

namespace flox::server {

inline catalog::PackageBuild build(std::string name, std::string version, std::string variant = "",
                                   char digit = '0') {
  catalog::PackageBuild made{.name = name,
                             .version = version,
                             .system = "x86_64-linux",
                             .variant = variant,
                             .description = "About " + name};
  made.outputs.emplace("out", nix::StorePath::from_base_name(std::string(32, digit) + "-" + name));
  return made;
}

// All that is found, by everyone.
inline std::vector<catalog::PackageBuild> search(const Records& records, std::string_view term,
                                                 std::string system = {}) {
  return records.search(term, {.system = std::move(system), .owner = {}, .license = {}}, {}, {}).builds;
}

inline void claim(Database& database, Kind kind, const std::string& name, const Holding& holding) {
  database.write([&](Session& session) { Holdings::claim(session, kind, name, holding); });
}

// What is written for acme when it is mirrored, without a name yet.
inline MirroredOwner mirrored_acme() {
  return {.owner = "acme",
          .roots = {{1, "root"}},
          .targets = {1, "targets"},
          .names = {1, "names"},
          .packages = {},
          .generations = {},
          .gone = {}};
}

class RecordsTest : public testing::Test {
 protected:
  nlohmann::json resolve_one(std::string name, std::string version, std::string level = "x86-64-v2") {
    nlohmann::json wanted = {{"install_id", "i"},
                             {"attr_path", name},
                             {"version", version},
                             {"systems", {"x86_64-linux"}},
                             {"cpu_level", level}};
    return resolve(records_, {{"items", {{{"name", "toplevel"}, {"descriptors", {wanted}}}}}}, "http://c",
                   owned_)["items"][0];
  }
  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open();
  Records records_{*database_};
  OwnedPackages owned_;
};

}  // namespace flox::server
