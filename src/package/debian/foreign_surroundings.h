// What binaries of other package managers find around them: the libraries that every system has, as their
// packages count on it, from Debian ([libraries] of the import rules).
#pragma once

#include <string>

#include "package/debian/importer.h"
#include "package/debian/relocation.h"

namespace flox::package {

class ForeignSurroundings : public Surroundings {
 public:
  // `name` is the tree's, for notes.
  ForeignSurroundings(Importer& importer, std::string name) : importer_(importer), name_(std::move(name)) {}

  std::optional<Provider> library(const std::string& soname,
                                  const std::vector<std::string>& search_path) override;
  std::optional<Provider> file(const std::string&) override { return std::nullopt; }
  std::optional<Provider> program(const std::string&) override { return std::nullopt; }
  void missing(const std::string& soname, const std::string& needed_by) override;
  void note(const std::string&) override {}
  bool drops_foreign_links() const override { return true; }

 private:
  Importer& importer_;
  std::string name_;
};

}  // namespace flox::package
