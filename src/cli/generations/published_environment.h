// Which environment of the catalog a command is about: named, or where that of a directory came from.
#pragma once  // Not fuzzed: parse_generation reads what the user types.

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "catalog/answer_verifier.h"
#include "cli/options.h"
#include "env/environment.h"

namespace flox::cli {

// -d and -r.
void add_environment_choice(CLI::App& command, EnvironmentChoice& choice);

class PublishedEnvironment {
 public:
  // `doing`, for messages: "listing generations". Throws Error(invalid_input), with advice, if the
  // environment of the directory came from no catalog.
  PublishedEnvironment(const EnvironmentChoice& choice, std::string doing);

  const catalog::EnvironmentName& name() const noexcept { return name_; }
  const std::string& doing() const noexcept { return doing_; }
  // Nothing if it was named.
  const std::optional<env::Environment>& environment() const noexcept { return environment_; }
  const std::optional<env::Origin>& origin() const noexcept { return origin_; }
  // A generation as the catalog has it, verified; the latest without a number. Throws Error(not_found).
  catalog::Pushed generation(std::optional<int64_t> number = {});
  // Those that there are, newest first, at least one.
  std::vector<catalog::ListedGeneration> generations();

 private:
  std::string doing_;
  std::optional<env::Environment> environment_;
  std::optional<env::Origin> origin_;
  catalog::EnvironmentName name_;
  std::unique_ptr<catalog::VerifiedCatalog> catalog_;
};

// "5", as of a command line. Throws Error(invalid_input).
int64_t parse_generation(const std::string& text);

}  // namespace flox::cli
