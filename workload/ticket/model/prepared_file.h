// A prepared file in memory: mapped, shared with every process that maps it, never written.
#pragma once  // Its header is fuzzed by fuzz/prepared_header.cc.

#include <filesystem>
#include <string_view>

#include "ticket/model/mapped_file.h"
#include "ticket/model/prepared_header.h"
#include "ticket/model/thread_pool.h"

namespace ticket::model {

class PreparedFile {
 public:
  // Reads and checks the header; the sections are only mapped. Throws Error naming the file: invalid_input if
  // it is no prepared file of this version, has another size or a damaged header.
  explicit PreparedFile(const std::filesystem::path& path);

  const PreparedHeader& header() const noexcept { return header_; }
  std::string_view bytes(const PreparedSection& section) const noexcept {
    return file_.bytes().substr(section.offset, header_.bytes_of(section));
  }
  // Nothing if there is no such section.
  const PreparedSection* find(std::string_view name, SectionKind kind) const noexcept;

  // Reads all sections and compares their checksums. Throws Error(invalid_input) naming the first that is
  // damaged.
  void check_sections(ThreadPool& pool) const;
  // Asks for all of it to be read ahead.
  void will_need() const noexcept { file_.will_need(); }
  void release(std::string_view part) const noexcept { file_.release(part); }

 private:
  std::filesystem::path path_;
  MappedFile file_;
  PreparedHeader header_;
};

// Whether somebody has compared the file's content with its hash already: below /nix/store and writable for
// nobody, where each path's hash was compared when it was fetched or built.
bool is_verified_by_store(const std::filesystem::path& path);

// Compares the files that stand beside a prepared file with what its header says. Throws
// Error(invalid_input).
void check_neighbours(const std::filesystem::path& directory, const PreparedHeader& header);

}  // namespace ticket::model
