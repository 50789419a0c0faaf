#include "cli/generations/published_environment.h"

#include <charconv>

#include "base/error.h"
#include "base/printable.h"
#include "cli/catalog_access.h"
#include "cli/generation_files.h"
#include "cli/options.h"
#include "node/floxd/config.h"

namespace flox::cli {

void add_environment_choice(CLI::App& command, EnvironmentChoice& choice) {
  auto* reference =
      command.add_option("-r,--reference", choice.reference, "environment of the catalog: OWNER/NAME");
  command
      .add_option("-d,--dir", choice.directory,
                  "directory of an environment that came from the catalog (default: the current one)")
      ->excludes(reference);
}

PublishedEnvironment::PublishedEnvironment(const EnvironmentChoice& choice, std::string doing)
    : doing_(std::move(doing)), catalog_(verified_catalog(readable_token(Config::load()), false)) {
  if (!choice.reference.empty()) {
    name_ = catalog::parse_environment_name(choice.reference);
    if (name_.generation)
      fail(ErrorKind::invalid_input, "{}: '{}' names one generation; write OWNER/NAME", doing_,
           printable(choice.reference, 100));
    return;
  }
  environment_ = env::Environment::find(choice.directory);
  origin_ = require_origin(*environment_, doing_);
  name_ = name_in(*origin_);
}

catalog::Pushed PublishedEnvironment::generation(std::optional<int64_t> number) {
  catalog::EnvironmentName name = name_;
  name.generation = number;
  return catalog_->environment(name).pushed;
}

std::vector<catalog::ListedGeneration> PublishedEnvironment::generations() {
  auto found = catalog_->client().generations(name_);
  if (found.empty()) fail(ErrorKind::not_found, "{}: {} has no generations", doing_, name_.to_string());
  return found;
}

int64_t parse_generation(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1)
    fail(ErrorKind::invalid_input, "'{}' is not a generation: they are 1, 2, …", printable(text, 40));
  return number;
}

}  // namespace flox::cli
