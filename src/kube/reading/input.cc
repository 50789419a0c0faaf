#include "kube/reading/input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "kube/reading/kustomize.h"
#include "kube/reading/yaml_documents.h"

namespace flox::kube {
namespace {

std::string read_limited(int fd, const std::string& source) {
  const size_t limit = YamlLimits{}.bytes;
  std::string text;
  std::vector<char> buffer(64 << 10);
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(errno, "reading {}", source);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
    if (text.size() > limit) fail(ErrorKind::invalid_input, "{}: is larger than {} bytes", source, limit);
  }
}

std::vector<fs::path> files_of(const std::string& argument) {
  if (!fs::is_directory(argument)) return {argument};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(argument)) {
    const std::string extension = entry.path().extension();
    if (entry.is_regular_file() && (extension == ".yaml" || extension == ".yml" || extension == ".json"))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) fail(ErrorKind::not_found, "{}: no .yaml, .yml or .json file there", argument);
  return files;
}

using TakeText = std::function<void(const std::string& text, const std::string& source)>;

void each_text(const std::vector<std::string>& arguments, const TakeText& take) {
  for (const auto& argument : arguments) {
    if (argument == "-") {
      take(read_limited(STDIN_FILENO, "standard input"), "standard input");
      continue;
    }
    for (const auto& file : files_of(argument)) take(read_manifest_file(file), file);
  }
}

constexpr const char* nothing_found = "no Kubernetes object found in what was given";

}  // namespace

std::string read_manifest_file(const fs::path& path) {
  const Fd file = open_file(path, O_RDONLY);
  return read_limited(file.get(), path);
}

std::vector<Manifest> read_input(const std::vector<std::string>& files,
                                 const std::vector<std::string>& kustomizations, const ReadOptions& options,
                                 std::vector<std::string>& notes) {
  std::vector<Manifest> manifests;
  each_text(files, [&](const std::string& text, const std::string& source) {
    for (auto& manifest : read_manifests(text, source, options, notes))
      manifests.push_back(std::move(manifest));
  });
  for (const auto& directory : kustomizations)
    for (const auto& document : read_kustomization(directory))
      if (auto manifest = read_manifest(document, directory, options, notes))
        manifests.push_back(std::move(*manifest));
  if (manifests.empty()) fail(ErrorKind::invalid_input, "{}", nothing_found);
  return manifests;
}

std::vector<InputDocument> read_input_documents(const std::vector<std::string>& files) {
  std::vector<InputDocument> documents;
  each_text(files, [&](const std::string& text, const std::string& source) {
    for (auto& document : read_documents(text, source)) documents.push_back({std::move(document), source});
  });
  if (documents.empty()) fail(ErrorKind::invalid_input, "{}", nothing_found);
  return documents;
}

std::vector<ObjectKey> read_input_keys(const std::vector<std::string>& files,
                                       const std::vector<std::string>& kustomizations,
                                       const std::string& default_namespace) {
  std::vector<ObjectKey> keys;
  each_text(files, [&](const std::string& text, const std::string& source) {
    for (auto& key : read_keys(text, source, default_namespace)) keys.push_back(std::move(key));
  });
  for (const auto& directory : kustomizations)
    for (const auto& document : read_kustomization(directory))
      keys.push_back(read_key(document, directory, default_namespace));
  if (keys.empty()) fail(ErrorKind::invalid_input, "{}", nothing_found);
  return keys;
}

}  // namespace flox::kube
