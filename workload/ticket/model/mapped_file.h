// A file in memory without reading it: pages come when they are touched.
#pragma once

#include <filesystem>
#include <string_view>

namespace ticket::model {

class MappedFile {
 public:
  // Throws Error naming the file.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::string_view bytes() const noexcept { return {data_, size_}; }

  // Asks for all of it to be read ahead.
  void will_need() const noexcept;
  // `part` will not be needed soon: its pages leave this process's memory, and come back when touched.
  void release(std::string_view part) const noexcept;

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ticket::model
