// The packages that a caller may see: what is hidden is as if it were not there.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/records/records.h"

namespace flox::server {

// The records must outlive it. Thread-safe.
class VisibleRecords {
 public:
  // Everything.
  VisibleRecords(const Records& records) : records_(records) {}  // NOLINT(google-explicit-constructor)
  VisibleRecords(const Records& records, std::set<std::string> hidden)
      : records_(records), hidden_(std::move(hidden)) {}

  // As Records has them.
  std::vector<catalog::PackageBuild> builds(const std::string& name) const;
  std::vector<RecordedBuild> recorded(const std::string& name) const;
  FoundPackages search(std::string_view term, const Filter& filter, const Part& part) const;
  Facets facets(std::string_view term, const Filter& filter, size_t most) const;
  std::map<std::string, std::set<std::string>> systems(const std::vector<std::string>& names) const;
  std::shared_ptr<const std::vector<std::string>> names() const;

 private:
  const Records& records_;
  std::set<std::string> hidden_;  // names of packages
};

}  // namespace flox::server
