// Writing a prepared file: a model that is loaded tells a recorder what it takes from its checkpoint, and
// what the recorder has heard is written while the model lives.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ticket/model/prepared_header.h"

namespace ticket::model {

// Keeps where the bytes are, no bytes: checkpoint and model must live until the file is written.
class PreparedRecorder {
 public:
  void note(const std::string& name, const Tensor& tensor);
  void note(const std::string& name, const PackedWeights& weights);

  // Fills `header.sections`, with checksums; contents()[i] are the bytes of sections[i].
  void describe(PreparedHeader& header) const;
  const std::vector<std::string_view>& contents() const noexcept { return contents_; }

 private:
  void add(PreparedSection section, std::string_view bytes);
  std::vector<PreparedSection> sections_;
  std::vector<std::string_view> contents_;
};

// Writes the file, whose place is reserved before its first byte, and brings it to the disk. Throws Error;
// the file may be there in part then. Returns prepared_digest().
std::string write_prepared(const std::filesystem::path& path, PreparedHeader header,
                           const PreparedRecorder& recorder);

}  // namespace ticket::model
