#include "package/imported/archive_files.h"

#include <fcntl.h>
#include <locale.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/os/archive_library.h"
#include "base/printable.h"
#include "package/imported/archive_limits.h"

namespace flox::package {
namespace {

[[noreturn]] void damaged(std::string_view why) {
  fail(ErrorKind::invalid_input, "damaged archive: {}", why);
}
[[noreturn]] void fail_reading(archive* from) {
  const char* message = libarchive().error_string(from);
  damaged(message != nullptr ? printable(message, 200) : "it cannot be read");
}

// Names are UTF-8 whatever the user's locale is: libarchive gives none of those that it cannot write in it.
class Utf8Names {
 public:
  Utf8Names() : mine_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (mine_ != nullptr) before_ = ::uselocale(mine_);
  }
  Utf8Names(const Utf8Names&) = delete;
  ~Utf8Names() {
    if (mine_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(mine_);
  }

 private:
  locale_t mine_;
  locale_t before_ = nullptr;
};

// Where an entry goes, relative; nothing for the directories that are stripped.
std::optional<std::string> place_of(std::string_view name, unsigned strip, bool is_directory) {
  if (name.size() > archive_limits::name) damaged("a name is too long");
  if (name.starts_with('/')) damaged(fmt::format("the name {} is absolute", printable(name, 100)));
  std::string place;
  size_t depth = 0;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (!is_file_name(part))
      damaged(fmt::format("{} cannot be the name of a file in it", printable(name, 100)));
    if (++depth > archive_limits::depth) damaged("a name has too many directories");
    if (depth <= strip) continue;
    if (!place.empty()) place += '/';
    place += part;
  }
  if (!place.empty()) return place;
  if (!is_directory) damaged(fmt::format("{} is outside of its directory", printable(name, 100)));
  return std::nullopt;
}

class FileUnpacker {
 public:
  FileUnpacker(const std::filesystem::path& file, const Directory& out)
      : out_(out), left_(archive_limits::unpacked(std::filesystem::file_size(file))) {}

  void take(archive* from, archive_entry* entry, unsigned strip) {
    const char* name = libarchive().entry_pathname_utf8(entry);
    if (name == nullptr) name = libarchive().entry_pathname(entry);
    if (name == nullptr || *name == '\0') damaged("an entry has no name");
    const auto type = libarchive().entry_filetype(entry);
    const bool is_link = libarchive().entry_hardlink(entry) != nullptr;
    if (is_link || (type != AE_IFREG && type != AE_IFDIR))
      damaged(fmt::format("{} is neither a file nor a directory", printable(name, 100)));
    const auto place = place_of(name, strip, type == AE_IFDIR);
    if (!place) return;
    if (type == AE_IFDIR) {
      make_directory(*place);
      return;
    }
    if (const std::string parent = std::filesystem::path(*place).parent_path().string(); !parent.empty())
      make_directory(parent);
    if (out_.exists(*place)) damaged(fmt::format("it has {} twice", printable(*place, 100)));
    write(from, *place, (libarchive().entry_perm(entry) & 0111) != 0);
  }

 private:
  static constexpr uint64_t directory_size = 4096;  // bytes of a disk that a directory takes at least
  static constexpr uint64_t file_size = 512;        // the same of a file, beside its bytes

  void make_directory(const std::string& path) {
    for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
      if (made_.insert(path.substr(0, end)).second) charge(directory_size);
      if (end == std::string::npos) break;
    }
    out_.make_directory(path);
  }
  void charge(uint64_t size) {
    if (size > left_) damaged("it unpacks to far more than its size");
    left_ -= size;
  }
  void write(archive* from, const std::string& place, bool executable) {
    charge(file_size);
    std::string_view piece = read(from);
    const bool is_program = executable && !piece.starts_with("#!");
    const Fd fd = out_.open(place, O_WRONLY | O_CREAT | O_EXCL, is_program ? 0755 : 0644);
    for (; !piece.empty(); piece = read(from)) write_all(fd.get(), piece);
  }
  std::string_view read(archive* from) {
    const la_ssize_t got = libarchive().read_data(from, buffer_.data(), buffer_.size());
    if (got < 0) fail_reading(from);
    const auto size = static_cast<uint64_t>(got);
    charge(size);
    return {buffer_.data(), size};
  }

  const Directory& out_;
  uint64_t left_;               // bytes that may still come
  std::set<std::string> made_;  // directories
  std::vector<char> buffer_ = std::vector<char>(1 << 18);
};

}  // namespace

void unpack_files(const std::filesystem::path& file, ArchiveFormat format, unsigned strip,
                  const Directory& out) {
  const Utf8Names names;
  const std::unique_ptr<archive, decltype(&::archive_read_free)> reader(libarchive().read_new(),
                                                                        libarchive().read_free);
  if (format == ArchiveFormat::zip) {
    libarchive().read_support_format_zip(reader.get());
  } else {
    libarchive().read_support_format_tar(reader.get());
    libarchive().read_support_filter_all(reader.get());
  }
  if (libarchive().read_open_filename(reader.get(), file.c_str(), 1 << 18) != ARCHIVE_OK)
    fail_reading(reader.get());
  FileUnpacker unpacker(file, out);
  archive_entry* entry = nullptr;
  size_t entries = 0;
  for (;;) {
    const int status = libarchive().read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return;
    // A warning is that a name cannot be written in this locale: it is taken as UTF-8.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) fail_reading(reader.get());
    if (++entries > archive_limits::entries) damaged("it has too many entries");
    try {
      unpacker.take(reader.get(), entry, strip);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::untrusted && error.kind() != ErrorKind::conflict &&
          error.kind() != ErrorKind::not_found)
        throw;
      damaged(error.what());  // a directory where it has a file, or the other way round
    }
  }
}

}  // namespace flox::package
