#include "package/deb_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "base/archive_library.h"
#include "base/error.h"
#include "base/file.h"

namespace flox::package {
namespace {

using Archive = std::unique_ptr<archive, decltype(&::archive_read_free)>;

[[noreturn]] void fail_archive(archive* from) {
  const char* message = libarchive().error_string(from);
  fail(ErrorKind::invalid_input, "damaged package: {}", message != nullptr ? message : "unknown error");
}

std::string read_entry(archive* from) {
  std::string content;
  std::array<char, 65536> buffer;
  for (;;) {
    la_ssize_t got = libarchive().read_data(from, buffer.data(), buffer.size());
    if (got < 0) fail_archive(from);
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(got));
  }
}

// A .deb is an ar archive of debian-binary, control.tar.* and data.tar.*.
std::string read_data_member(const fs::path& deb) {
  Archive outer(libarchive().read_new(), libarchive().read_free);
  libarchive().read_support_format_ar(outer.get());
  if (libarchive().read_open_filename(outer.get(), deb.c_str(), 1 << 18) != ARCHIVE_OK)
    fail_archive(outer.get());
  archive_entry* entry = nullptr;
  int status;
  while ((status = libarchive().read_next_header(outer.get(), &entry)) == ARCHIVE_OK)
    if (std::string_view(libarchive().entry_pathname(entry)).starts_with("data.tar"))
      return read_entry(outer.get());
  if (status != ARCHIVE_EOF) fail_archive(outer.get());
  fail(ErrorKind::invalid_input, "damaged package: it has no data.tar");
}

void for_each_entry(const fs::path& deb, const std::function<void(archive*, archive_entry*)>& body) {
  in_context("unpacking " + deb.filename().string(), [&] {
    std::string data = read_data_member(deb);
    Archive inner(libarchive().read_new(), libarchive().read_free);
    libarchive().read_support_format_tar(inner.get());
    libarchive().read_support_filter_all(inner.get());
    if (libarchive().read_open_memory(inner.get(), data.data(), data.size()) != ARCHIVE_OK)
      fail_archive(inner.get());
    archive_entry* entry = nullptr;
    int status;
    while ((status = libarchive().read_next_header(inner.get(), &entry)) == ARCHIVE_OK)
      body(inner.get(), entry);
    if (status != ARCHIVE_EOF) fail_archive(inner.get());
  });
}

// Puts files at their places below a directory.
class Placer {
 public:
  explicit Placer(const fs::path& directory) : directory_(directory) { fs::create_directories(directory_); }

  void file(const std::string& place, const std::string& content, unsigned mode) {
    fs::path path = prepare(place);
    if (fs::symlink_status(path).type() == fs::file_type::regular && read_file(path) == content) return;
    refuse_existing(path, place);
    write_file(path, content, (mode & 0111) != 0 ? 0755 : 0644);
  }
  // `debian_path` is where Debian has the link: its relative target starts there.
  void link(const std::string& place, std::string_view debian_path, const std::string& target) {
    fs::path new_target = target;
    if (!target.starts_with('/')) {
      auto goal = layout_path((fs::path("/") / debian_path).parent_path().string() + "/" + target);
      new_target = fs::path(goal.value_or(".")).lexically_relative(fs::path(place).parent_path());
    }
    // A compatibility link between / and /usr would point at itself.
    if (layout_path(target) == place && target.starts_with('/')) return;
    if (new_target == fs::path(place).filename()) return;
    fs::path path = prepare(place);
    if (fs::is_symlink(fs::symlink_status(path)) && fs::read_symlink(path) == new_target) return;
    refuse_existing(path, place);
    fs::create_symlink(new_target, path);
  }
  void hard_link(const std::string& place, const std::string& original) {
    fs::path path = prepare(place);
    refuse_existing(path, place);
    // Through a symbolic link, a file of this machine would be copied.
    fs::path source = inside(original);
    if (!fs::is_regular_file(fs::symlink_status(source)))
      fail(ErrorKind::invalid_input, "damaged package: {} is a hard link to {}, which is no file before it",
           place, original);
    fs::copy_file(source, path);
  }

 private:
  fs::path prepare(const std::string& place) {
    fs::path path = inside(place);
    fs::create_directories(path.parent_path());
    return path;
  }
  // A parent that is a symbolic link could lead out of the directory.
  fs::path inside(const std::string& place) const {
    fs::path path = directory_ / place;
    for (fs::path above = path.parent_path(); above != directory_; above = above.parent_path())
      if (fs::is_symlink(fs::symlink_status(above)))
        fail(ErrorKind::invalid_input, "damaged package: {} lies behind the symbolic link {}", place,
             above.string());
    return path;
  }
  static void refuse_existing(const fs::path& path, const std::string& place) {
    if (fs::exists(fs::symlink_status(path)))
      fail(ErrorKind::conflict, "two packages, or /bin and /usr/bin of one, have different files at {}",
           place);
  }

  fs::path directory_;
};

}  // namespace

std::optional<std::string> layout_path(std::string_view debian_path) {
  std::string path = (fs::path("/") / fs::path(debian_path)).lexically_normal().string();
  path.erase(0, path.find_first_not_of('/'));
  if (path.starts_with("usr/")) path.erase(0, 4);
  while (path.ends_with('/')) path.pop_back();
  if (path.empty() || path == "." || path == "usr") return std::nullopt;
  return path;
}

bool left_out(std::string_view place) {
  static constexpr std::array<std::string_view, 4> prefixes{"share/doc/", "share/lintian/", "share/bug/",
                                                            "share/initramfs-tools/"};
  if (std::any_of(prefixes.begin(), prefixes.end(), [&](auto prefix) { return place.starts_with(prefix); }))
    return true;
  return place.starts_with("lib/") && place.find("/gconv/") != std::string_view::npos;
}

std::vector<std::string> list_deb(const fs::path& deb) {
  std::vector<std::string> result;
  for_each_entry(deb, [&](archive*, archive_entry* entry) {
    auto place = layout_path(libarchive().entry_pathname(entry));
    if (!place || left_out(*place) || libarchive().entry_filetype(entry) == AE_IFDIR) return;
    result.push_back(*place);
  });
  std::sort(result.begin(), result.end());
  return result;
}

void unpack_deb(const fs::path& deb, const fs::path& directory) {
  Placer placer(directory);
  for_each_entry(deb, [&](archive* data, archive_entry* entry) {
    auto place = layout_path(libarchive().entry_pathname(entry));
    if (!place || left_out(*place)) return;
    if (const char* original = libarchive().entry_hardlink(entry)) {
      if (auto original_place = layout_path(original)) placer.hard_link(*place, *original_place);
    } else if (libarchive().entry_filetype(entry) == AE_IFLNK) {
      placer.link(*place, libarchive().entry_pathname(entry), libarchive().entry_symlink(entry));
    } else if (libarchive().entry_filetype(entry) == AE_IFREG) {
      placer.file(*place, read_entry(data), libarchive().entry_perm(entry));
    }
  });
}

void copy_installed(const std::vector<std::string>& files, const fs::path& directory) {
  Placer placer(directory);
  for (const auto& path : files) {
    auto place = layout_path(path);
    struct stat status {};
    if (!place || left_out(*place) || ::lstat(path.c_str(), &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      placer.link(*place, path, fs::read_symlink(path).string());
    } else if (S_ISREG(status.st_mode)) {
      placer.file(*place, read_file(path), status.st_mode);
    }
  }
}

}  // namespace flox::package
