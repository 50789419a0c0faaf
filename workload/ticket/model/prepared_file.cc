#include "ticket/model/prepared_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "ticket/model/checkpoint_identity.h"

namespace ticket::model {

namespace fs = std::filesystem;
using flox::ErrorKind;

PreparedFile::PreparedFile(const fs::path& path)
    : path_(path), file_(path), header_(flox::in_context("reading the prepared model " + path.string(), [&] {
        return read_prepared_header(file_.bytes(), file_.bytes().size());
      })) {}

const PreparedSection* PreparedFile::find(std::string_view name, SectionKind kind) const noexcept {
  for (const PreparedSection& section : header_.sections)
    if (section.kind == kind && section.name == name) return &section;
  return nullptr;
}

void PreparedFile::check_sections(ThreadPool& pool) const {
  const std::vector<PreparedSection>& sections = header_.sections;
  std::atomic<size_t> damaged = sections.size();
  const size_t operations = header_.bytes / std::max<size_t>(1, sections.size());
  pool.for_each(sections.size(), operations, [&](size_t i) {
    if (section_checksum(bytes(sections[i])) != sections[i].checksum) damaged = i;
  });
  if (damaged < sections.size())
    flox::fail(ErrorKind::invalid_input, "the prepared model {} is damaged: section {} has another checksum",
               path_.string(), sections[damaged].name);
}

bool is_verified_by_store(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  struct stat status {};
  return !error && real.string().starts_with("/nix/store/") && stat(real.c_str(), &status) == 0 &&
         (status.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0;
}

void check_neighbours(const fs::path& directory, const PreparedHeader& header) {
  const FileHashes found = model_file_hashes(directory);
  for (const auto& [name, hash] : header.files) {
    auto other = found.find(name);
    if (other == found.end())
      flox::fail(ErrorKind::invalid_input, "{} has no {}, with which the model was prepared",
                 directory.string(), name);
    if (other->second != hash)
      flox::fail(ErrorKind::invalid_input, "{} is not the one with which the model was prepared",
                 (directory / name).string());
  }
  for (const auto& [name, hash] : found)
    if (!header.files.contains(name))
      flox::fail(ErrorKind::invalid_input, "{} was not there when the model was prepared",
                 (directory / name).string());
}

}  // namespace ticket::model
