#include "cli/options.h"

#include <algorithm>
#include <filesystem>

#include "base/command_line/completion.h"
#include "cli/known_environments.h"

namespace flox::cli {
namespace {

// Of a section of the manifest.
template <typename Section>
std::vector<std::string> names_in(const GivenOptions& given, Section env::Manifest::*section) {
  const auto directory = given.find("--dir");
  const env::Manifest manifest =
      env::Environment::find(directory == given.end() ? "." : directory->second).manifest();
  std::vector<std::string> names;
  for (const auto& [name, value] : manifest.*section) names.push_back(name);
  return names;
}

}  // namespace

void add_directory(CLI::App& command, std::string& directory) {
  offer_environments(
      command.add_option("-d,--dir", directory, "directory of the environment (default: the current one)"));
}

namespace {

CLI::Option* add_reference(CLI::App& command, std::string& reference, const std::string& help) {
  auto* option = command.add_option("-r,--reference,--remote", reference, help);
  offer_references(option->excludes(command.get_option("--dir")));
  return option;
}

}  // namespace

void add_reference(CLI::App& command, std::string& reference) {
  add_reference(command, reference,
                "environment of the catalog: OWNER/NAME (the latest generation), or OWNER/NAME:GENERATION");
}

CLI::Option* add_changed_reference(CLI::App& command, std::string& reference) {
  return add_reference(command, reference,
                       "environment of the catalog: OWNER/NAME. It is changed there, as its next generation");
}

void offer_environments(const CLI::Option* option) {
  offer_values(option, {.words =
                            [](const GivenOptions&) {
                              std::vector<std::string> directories;
                              for (const auto& environment : known_environments())
                                directories.push_back(environment.directory().string());
                              return directories;
                            },
                        .files = Completion::Files::directories});
}

void offer_references(const CLI::Option* option) {
  offer_values(option, {.words = [](const GivenOptions&) {
                 std::vector<std::string> references;
                 for (const auto& environment : known_environments())
                   if (const auto origin = environment.origin()) references.push_back(origin->reference());
                 std::ranges::sort(references);
                 const auto same = std::ranges::unique(references);
                 references.erase(same.begin(), same.end());
                 return references;
               }});
}

void offer_installed(const CLI::Option* option) {
  offer_values(option,
               {.words = [](const GivenOptions& given) { return names_in(given, &env::Manifest::install); }});
}

void offer_builds(const CLI::Option* option) {
  offer_values(option,
               {.words = [](const GivenOptions& given) { return names_in(given, &env::Manifest::build); }});
}

CLI::Option* add_json(CLI::App& command, bool& json) {
  return command.add_flag("--json", json, "print JSON");
}

}  // namespace flox::cli
