// flox sbom: what an environment, a package or a pod consists of, as a software bill of materials.
#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/rfc3339.h"
#include "cli/closure_target.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "trust/sbom/cyclonedx.h"
#include "trust/sbom/difference.h"
#include "trust/sbom/spdx.h"

namespace flox::cli {
namespace {

struct SbomOptions {
  TargetOptions target;
  std::string format = "spdx";
  std::string created;
};

// The time of every file in the store (docs/formats/nar.md): a document of the same closure is the same on
// any day.
constexpr int64_t store_time = 1;                 // Unix seconds
constexpr int64_t latest_time = 253'402'300'799;  // the end of the year 9999

std::string created_at(const std::string& given) {
  const char* variable = std::getenv("SOURCE_DATE_EPOCH");
  const std::string text = !given.empty() ? given : variable != nullptr ? variable : "";
  int64_t seconds = store_time;
  if (!text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size() || seconds < 0 || seconds > latest_time)
      fail_usage(fmt::format("{} '{}' is not a number of seconds since 1970",
                             given.empty() ? "SOURCE_DATE_EPOCH" : "--created", printable(text, 60)),
                 "Write seconds, as 'date +%s' prints them.");
  }
  return rfc3339(seconds);
}

trust::Bill bill_of(const store::LocalStore& store, const Config& config, const TargetOptions& options) {
  const ClosureTarget target = find_target(store, config, options);
  return trust::bill_of(store, target.name, target.roots, target.declared);
}

void print_bill(const SbomOptions& options) {
  const std::string created = created_at(options.created);
  const Config config = Config::load();
  const store::LocalStore store(config.root, config.store_lock_timeout);
  const trust::Bill bill = bill_of(store, config, options.target);
  const std::string text =
      options.format == "spdx" ? trust::to_spdx(bill, created) : trust::to_cyclonedx(bill, created);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_difference(const std::string& before, const std::string& after, bool json) {
  const Config config = Config::load();
  const store::LocalStore store(config.root, config.store_lock_timeout);
  const trust::BillDifference found = trust::difference(bill_of(store, config, {.target = before}),
                                                        bill_of(store, config, {.target = after}));
  fmt::print("{}", json ? found.to_json().dump(2) + "\n" : found.to_string());
}

void add_diff(CLI::App& sbom) {
  struct SbomDiffOptions {
    std::string before, after;
    bool json = false;
  };
  auto options = std::make_shared<SbomDiffOptions>();
  auto* command = sbom.add_subcommand("diff", "Show what differs between the closures of two targets");
  command->add_option("BEFORE", options->before, "as TARGET of flox sbom, or pod:NAMESPACE/NAME")->required();
  command->add_option("AFTER", options->after, "likewise")->required();
  add_json(*command, options->json);
  command->footer(
      "Examples:\n  flox sbom diff acme/web:3 acme/web:4\n  flox sbom diff pod:shop/web acme/web --json");
  command->callback([options] { print_difference(options->before, options->after, options->json); });
}

}  // namespace

void add_sbom(CLI::App& app) {
  auto options = std::make_shared<SbomOptions>();
  auto* command = app.add_subcommand("sbom", "Print a software bill of materials of a closure");
  add_target_options(*command, options->target);
  command
      ->add_option("--format", options->format,
                   "spdx (SPDX 2.3, the default) or cyclonedx (CycloneDX 1.6), in JSON")
      ->check(CLI::IsMember({"spdx", "cyclonedx"}));
  command->add_option(
      "--created", options->created,
      "time of the document, in seconds since 1970 (SOURCE_DATE_EPOCH; default: 1, as the store's "
      "files have)");
  command->footer(
      "The closure must be in this machine's store. The same closure and time give the same bytes.\n\n"
      "Examples:\n"
      "  flox sbom > web.spdx.json\n"
      "  flox sbom acme/web:3 --format cyclonedx\n"
      "  flox sbom --pod shop/web-7d9c\n"
      "  flox sbom diff acme/web:3 acme/web:4");
  add_diff(*command);
  command->callback([command, options] {
    if (command->get_subcommands().empty()) print_bill(*options);
  });
}

}  // namespace flox::cli
