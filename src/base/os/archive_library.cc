#include "base/os/archive_library.h"

#include "base/os/late_library.h"

namespace flox {
namespace {

[[gnu::used, gnu::section(".note.dlopen"), gnu::aligned(4)]] constexpr auto note =
    dlopen_note(R"([{"feature":"archives","description":"Reading packages and writing images",)"
                R"("priority":"required","soname":["libarchive.so.13"]}])");

ArchiveLibrary load() {
  const LateLibrary library("libarchive.so.13", "to read or write archives", "libarchive13");
  ArchiveLibrary libarchive{};
  library.find("archive_entry_filetype", libarchive.entry_filetype);
  library.find("archive_entry_free", libarchive.entry_free);
  library.find("archive_entry_hardlink", libarchive.entry_hardlink);
  library.find("archive_entry_new", libarchive.entry_new);
  library.find("archive_entry_pathname", libarchive.entry_pathname);
  library.find("archive_entry_pathname_utf8", libarchive.entry_pathname_utf8);
  library.find("archive_entry_perm", libarchive.entry_perm);
  library.find("archive_entry_set_filetype", libarchive.entry_set_filetype);
  library.find("archive_entry_set_mtime", libarchive.entry_set_mtime);
  library.find("archive_entry_set_pathname", libarchive.entry_set_pathname);
  library.find("archive_entry_set_perm", libarchive.entry_set_perm);
  library.find("archive_entry_set_size", libarchive.entry_set_size);
  library.find("archive_entry_set_symlink", libarchive.entry_set_symlink);
  library.find("archive_entry_symlink", libarchive.entry_symlink);
  library.find("archive_error_string", libarchive.error_string);
  library.find("archive_read_data", libarchive.read_data);
  library.find("archive_read_free", libarchive.read_free);
  library.find("archive_read_new", libarchive.read_new);
  library.find("archive_read_next_header", libarchive.read_next_header);
  library.find("archive_read_open_filename", libarchive.read_open_filename);
  library.find("archive_read_open_memory", libarchive.read_open_memory);
  library.find("archive_read_support_filter_all", libarchive.read_support_filter_all);
  library.find("archive_read_support_format_ar", libarchive.read_support_format_ar);
  library.find("archive_read_support_format_tar", libarchive.read_support_format_tar);
  library.find("archive_read_support_format_zip", libarchive.read_support_format_zip);
  library.find("archive_write_close", libarchive.write_close);
  library.find("archive_write_data", libarchive.write_data);
  library.find("archive_write_free", libarchive.write_free);
  library.find("archive_write_header", libarchive.write_header);
  library.find("archive_write_new", libarchive.write_new);
  library.find("archive_write_open2", libarchive.write_open2);
  library.find("archive_write_set_bytes_in_last_block", libarchive.write_set_bytes_in_last_block);
  library.find("archive_write_set_format_pax_restricted", libarchive.write_set_format_pax_restricted);
  return libarchive;
}

}  // namespace

const ArchiveLibrary& libarchive() {
  static const ArchiveLibrary library = load();
  return library;
}

}  // namespace flox
