// An index of Python distributions, such as PyPI, for one interpreter.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "package/imported/answers.h"
#include "package/imported/downloads.h"
#include "package/python/project_page.h"
#include "package/python/resolve.h"

namespace flox::package {

inline constexpr const char* default_python_index = "https://pypi.org/simple";

// The most bytes that a wheel may have.
inline constexpr uint64_t max_wheel = uint64_t{8} << 30;

// Remembers the answers: make one per command. One thread at a time.
class PythonIndex : public PythonReleases {
 public:
  PythonIndex(std::string url, PythonTarget target, Downloads& downloads)
      : url_(std::move(url)), target_(std::move(target)), downloads_(downloads) {}

  std::vector<PythonVersion> versions(const std::string& project) override;
  bool is_yanked(const std::string& project, const PythonVersion& version) override;
  const PythonMetadata& metadata(const std::string& project, const PythonVersion& version) override;
  // The wheel that fits the interpreter best.
  const WheelFile& wheel(const std::string& project, const PythonVersion& version);

 private:
  using Releases = std::map<PythonVersion, WheelFile, std::greater<>>;  // the best wheel of each
  const Releases& releases(const std::string& project);
  std::string metadata_text(const WheelFile& wheel);

  std::string url_;
  PythonTarget target_;
  Downloads& downloads_;
  Answers<Releases> releases_;
  std::map<std::string, PythonMetadata> metadata_;  // by the wheel's file name
};

}  // namespace flox::package
