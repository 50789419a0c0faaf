#include "package/imported/imported_package.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "store/local/named_root.h"

namespace flox::package {

namespace fs = std::filesystem;

void check_programs(const ImportedPackage& package) {
  if (!package.programs || package.programs->empty()) return;
  std::vector<std::string> broken;
  bool any = false;
  for (const SmokeResult& result : *package.programs) {
    any = any || result.verdict == SmokeResult::Verdict::ran;
    if (result.verdict == SmokeResult::Verdict::did_not_run && broken.size() < 10)
      broken.push_back(fmt::format("{} ({})", result.program, result.detail));
  }
  if (any && broken.empty()) return;
  if (broken.empty()) broken.push_back("every one of them misses something");
  throw Error(ErrorKind::invalid_input,
              fmt::format("programs of {} do not run in an empty root: {}", package.build.name,
                          fmt::join(broken, "; ")),
              "Look at them where only the store is; --allow-broken publishes it as it is.");
}

void record_programs(ImportedPackage& package) {
  if (!package.provenance || !package.programs) return;
  auto& recorded = package.provenance->programs;
  for (const SmokeResult& program : *package.programs)
    if (recorded.size() < trust::BuildProvenance::most_programs)
      recorded.emplace(program.program, fmt::format("{}{}{}", to_string(program.verdict),
                                                    program.detail.empty() ? "" : ": ", program.detail));
}

void keep_import(const store::LocalStore& store, const std::string& name, const nix::StorePath& path) {
  store::set_named_root(store, "flox-imports/" + file_name(name, "the package"), path);
}

std::string recorded_license(std::string license) {
  constexpr size_t longest = 255;  // bytes (catalog/model.h)
  return license.size() <= longest ? std::move(license) : std::string();
}

std::string system_of_this_machine() {
#if defined(__x86_64__)
  return "x86_64-linux";
#elif defined(__aarch64__)
  return "aarch64-linux";
#else
#error "only x86_64 and aarch64 are supported"
#endif
}

}  // namespace flox::package
