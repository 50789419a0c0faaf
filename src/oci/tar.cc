#include "oci/tar.h"

#include "base/error.h"
#include "base/os/archive_library.h"

namespace flox::oci {

Tar::Tar(Sink sink, int64_t time)
    : sink_(std::move(sink)), time_(time), archive_(libarchive().write_new(), libarchive().write_free) {
  libarchive().write_set_format_pax_restricted(archive_.get());
  libarchive().write_set_bytes_in_last_block(archive_.get(), 1);
  const auto take = [](archive*, void* self, const void* data, size_t size) -> la_ssize_t {
    auto& tar = *static_cast<Tar*>(self);
    try {
      tar.sink_({static_cast<const char*>(data), size});
      return static_cast<la_ssize_t>(size);
    } catch (...) {  // not through the library's C
      tar.sink_error_ = std::current_exception();
      return -1;
    }
  };
  libarchive().write_open2(archive_.get(), this, nullptr, take, nullptr, nullptr);
}

void Tar::add_file(const std::string& path, std::string_view content, unsigned mode) {
  begin_file(path, content.size(), mode);
  write(content);
}

void Tar::begin_file(const std::string& path, uint64_t size, unsigned mode) {
  add(path, {.type = AE_IFREG, .mode = mode, .size = size});
}

void Tar::add_directory(const std::string& path, unsigned mode) {
  add(path, {.type = AE_IFDIR, .mode = mode});
}

void Tar::add_link(const std::string& path, const std::string& target) {
  add(path, {.type = AE_IFLNK, .mode = 0777, .target = &target});
}

void Tar::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const la_ssize_t written = libarchive().write_data(archive_.get(), bytes.data(), bytes.size());
    if (written <= 0) fail_writing("a file");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void Tar::add(const std::string& path, const Entry& wanted) {
  std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(libarchive().entry_new(),
                                                                 libarchive().entry_free);
  libarchive().entry_set_pathname(entry.get(), path.c_str());
  libarchive().entry_set_filetype(entry.get(), wanted.type);
  libarchive().entry_set_perm(entry.get(), static_cast<mode_t>(wanted.mode));
  libarchive().entry_set_size(entry.get(), static_cast<la_int64_t>(wanted.size));
  libarchive().entry_set_mtime(entry.get(), time_, 0);
  if (wanted.target != nullptr) libarchive().entry_set_symlink(entry.get(), wanted.target->c_str());
  if (libarchive().write_header(archive_.get(), entry.get()) != ARCHIVE_OK) fail_writing(path);
}

void Tar::finish() {
  if (libarchive().write_close(archive_.get()) != ARCHIVE_OK) fail_writing("its end");
}

void Tar::fail_writing(const std::string& path) {
  if (sink_error_) std::rethrow_exception(std::exchange(sink_error_, nullptr));
  fail(ErrorKind::internal, "writing {} into an archive: {}", path,
       libarchive().error_string(archive_.get()));
}

}  // namespace flox::oci
