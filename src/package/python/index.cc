#include "package/python/index.h"

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "package/imported/unpack.h"

namespace flox::package {
namespace {

constexpr uint64_t max_page = 128 << 20;  // bytes

// Of two wheels of one version: the fitter one, then the later build, then by name.
bool is_better(const WheelFile& a, const WheelFile& b, const PythonTarget& target) {
  const int fit_a = fitness(a.name, target).value_or(-1), fit_b = fitness(b.name, target).value_or(-1);
  if (fit_a != fit_b) return fit_a > fit_b;
  if (a.name.build != b.name.build) return a.name.build > b.name.build;
  return a.file_name < b.file_name;
}

}  // namespace

const PythonIndex::Releases& PythonIndex::releases(const std::string& project) {
  return releases_.of(project, [&] {
    return in_context("asking the index for " + project, [&] {
      const std::string page = fmt::format("{}/{}/", url_.substr(0, url_.find_last_not_of('/') + 1), project);
      const auto python = PythonVersion::parse(target_.full_version);
      Releases found;
      bool has_wheels = false;
      for (WheelFile& file : parse_project_page(downloads_.text(page, project_page_type, max_page), page)) {
        has_wheels = true;
        if (file.name.project != project || !fitness(file.name, target_) || !file.python.admits(python))
          continue;
        const auto there = found.find(file.name.version);
        if (there == found.end())
          found.emplace(file.name.version, std::move(file));
        else if (is_better(file, there->second, target_))
          there->second = std::move(file);
      }
      if (found.empty())
        throw Error(
            ErrorKind::not_found,
            has_wheels ? fmt::format("no wheel of it runs with Python {} on {}", target_.full_version,
                                     target_.architecture)
                       : "it has no wheels, only sources or nothing",
            "Wheels are taken, and nothing is compiled. Build it as a package of your own ('flox build').");
      return found;
    });
  });
}

std::vector<PythonVersion> PythonIndex::versions(const std::string& project) {
  std::vector<PythonVersion> result;
  for (const auto& [version, wheel] : releases(project)) result.push_back(version);
  return result;
}

bool PythonIndex::is_yanked(const std::string& project, const PythonVersion& version) {
  return wheel(project, version).yanked;
}

const WheelFile& PythonIndex::wheel(const std::string& project, const PythonVersion& version) {
  return releases(project).at(version);
}

// Beside the wheel where the index has it there, else out of the wheel.
std::string PythonIndex::metadata_text(const WheelFile& wheel) {
  if (wheel.metadata_hash)
    return read_file(downloads_.file(wheel.url + ".metadata", *wheel.metadata_hash, max_python_metadata));
  const TempDir work("flox-wheel-");
  unpack_confined(downloads_.file(wheel.url, wheel.hash, max_wheel), ArchiveFormat::zip, 0, work.path());
  const Directory files(work.path());
  for (const std::string& name : files.names())
    if (name.ends_with(".dist-info")) return files.read_file(name + "/METADATA", max_python_metadata);
  fail(ErrorKind::invalid_input, "it has no .dist-info directory");
}

const PythonMetadata& PythonIndex::metadata(const std::string& project, const PythonVersion& version) {
  const WheelFile& file = wheel(project, version);
  if (const auto known = metadata_.find(file.file_name); known != metadata_.end()) return known->second;
  return in_context(file.file_name, [&]() -> const PythonMetadata& {
    PythonMetadata metadata = PythonMetadata::parse(metadata_text(file));
    if (normalized_project(metadata.name) != project || metadata.version != version)
      fail(ErrorKind::invalid_input, "its METADATA is that of {} {}", metadata.name,
           metadata.version.to_string());
    return metadata_.emplace(file.file_name, std::move(metadata)).first->second;
  });
}

}  // namespace flox::package
