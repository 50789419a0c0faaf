#include "package/debian/deb_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "base/error.h"
#include "base/os/archive_library.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "package/imported/archive_limits.h"

namespace flox::package {
namespace {

using Archive = std::unique_ptr<archive, decltype(&::archive_read_free)>;

[[noreturn]] void fail_archive(archive* from) {
  const char* message = libarchive().error_string(from);
  fail(ErrorKind::invalid_input, "damaged package: {}", message != nullptr ? message : "unknown error");
}

// Debian's largest files stay below this by far; a bomb would go on.
constexpr size_t max_file = size_t{4} << 30;             // bytes
constexpr size_t max_copyright_file = size_t{16} << 20;  // bytes

std::string read_entry(archive* from, size_t limit = max_file) {
  std::string content;
  std::array<char, 65536> buffer;
  for (;;) {
    la_ssize_t got = libarchive().read_data(from, buffer.data(), buffer.size());
    if (got < 0) fail_archive(from);
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(got));
    if (content.size() > limit) fail(ErrorKind::invalid_input, "damaged package: more than {} bytes", limit);
  }
}

// What libarchive says of an entry; it gives no text for what it cannot convert.
std::string_view text_of(const char* text, std::string_view what) {
  if (text == nullptr || *text == '\0')
    fail(ErrorKind::invalid_input, "damaged package: an entry without {}", what);
  return text;
}
std::string_view path_of(archive_entry* entry) {
  const std::string_view path = text_of(libarchive().entry_pathname(entry), "a name");
  if (path.size() > archive_limits::name ||
      static_cast<size_t>(std::count(path.begin(), path.end(), '/')) > archive_limits::depth)
    fail(ErrorKind::invalid_input,
         "damaged package: a name is more than {} directories deep or {} bytes long", archive_limits::depth,
         archive_limits::name);
  return path;
}

void refuse_device(archive_entry* entry, std::string_view place) {
  switch (libarchive().entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFLNK:
    case AE_IFDIR:
      return;
    default:
      fail(ErrorKind::invalid_input,
           "damaged package: {} is a device, a pipe or a socket, which no package has", printable(place));
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
    if (path_of(entry).starts_with("data.tar")) return read_entry(outer.get());
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
    size_t entries = 0;
    while ((status = libarchive().read_next_header(inner.get(), &entry)) == ARCHIVE_OK) {
      if (++entries > archive_limits::entries)
        fail(ErrorKind::invalid_input, "damaged package: more than {} files", archive_limits::entries);
      body(inner.get(), entry);
    }
    if (status != ARCHIVE_EOF) fail_archive(inner.get());
  });
}

// Puts files at their places below a directory. Names are untrusted: nothing on the way is
// followed.
class Placer {
 public:
  explicit Placer(const fs::path& directory) : directory_(made(directory)) {}

  void file(const std::string& place, const std::string& content, unsigned mode) {
    in_place(place, [&] {
      const auto there = directory_.status(place);
      if (there && S_ISREG(there->st_mode) && static_cast<size_t>(there->st_size) == content.size() &&
          directory_.read_file(place, max_file) == content)
        return;
      if (there) refuse_existing(place);
      make_parent(place);
      directory_.create_file(place, content, (mode & 0111) != 0 ? 0755 : 0644);
    });
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
    in_place(place, [&] {
      const auto there = directory_.status(place);
      if (there && S_ISLNK(there->st_mode) && directory_.read_link(place) == new_target) return;
      if (there) refuse_existing(place);
      make_parent(place);
      directory_.make_link(place, new_target.native());
    });
  }
  // A copy, of at most `limit` bytes. Returns how many it has.
  size_t hard_link(const std::string& place, const std::string& original, size_t limit) {
    size_t size = 0;
    in_place(place, [&] {
      if (directory_.exists(place)) refuse_existing(place);
      // Through a symbolic link, a file of this machine would be copied.
      const auto source = directory_.status(original);
      if (!source || !S_ISREG(source->st_mode))
        fail(ErrorKind::invalid_input,
             "damaged package: {} is a hard link to {}, and no file before it has that name",
             printable(place), printable(original));
      const std::string content = directory_.read_file(original, limit);
      size = content.size();
      make_parent(place);
      directory_.create_file(place, content, source->st_mode & 0777);
    });
    return size;
  }

 private:
  static Directory made(const fs::path& directory) {
    fs::create_directories(directory);
    return Directory(directory);
  }
  void make_parent(const std::string& place) const {
    if (const std::string parent = fs::path(place).parent_path().string(); !parent.empty())
      directory_.make_directory(parent);
  }
  template <typename Body>
  static void in_place(const std::string& place, const Body& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::untrusted) throw;
      fail(ErrorKind::invalid_input, "damaged package: {} lies behind a symbolic link: {}", printable(place),
           error.what());
    }
  }
  [[noreturn]] static void refuse_existing(const std::string& place) {
    fail(ErrorKind::conflict, "two packages, or /bin and /usr/bin of one, have different files at {}",
         printable(place));
  }

  Directory directory_;
};

}  // namespace

namespace {

// "share/doc/NAME/copyright"
bool is_copyright(std::string_view place) {
  constexpr std::string_view before = "share/doc/", after = "/copyright";
  if (!place.starts_with(before) || !place.ends_with(after) || place.size() <= before.size() + after.size())
    return false;
  return place.substr(before.size(), place.size() - before.size() - after.size()).find('/') ==
         std::string_view::npos;
}

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
    auto place = layout_path(path_of(entry));
    if (!place || left_out(*place) || libarchive().entry_filetype(entry) == AE_IFDIR) return;
    result.push_back(*place);
  });
  std::sort(result.begin(), result.end());
  return result;
}

std::string unpack_deb(const fs::path& deb, const fs::path& directory) {
  Placer placer(directory);
  std::string copyright;
  const size_t most_bytes = archive_limits::unpacked(fs::file_size(deb));
  size_t bytes = 0;
  for_each_entry(deb, [&](archive* data, archive_entry* entry) {
    auto place = layout_path(path_of(entry));
    if (place && copyright.empty() && is_copyright(*place) &&
        libarchive().entry_filetype(entry) == AE_IFREG && libarchive().entry_hardlink(entry) == nullptr)
      copyright = read_entry(data, max_copyright_file);
    if (!place || left_out(*place)) return;
    if (const char* original = libarchive().entry_hardlink(entry)) {
      if (auto original_place = layout_path(original))
        bytes += placer.hard_link(*place, *original_place, std::min(max_file, most_bytes - bytes));
    } else if (libarchive().entry_filetype(entry) == AE_IFLNK) {
      placer.link(*place, path_of(entry),
                  std::string(text_of(libarchive().entry_symlink(entry), "a link's target")));
    } else if (libarchive().entry_filetype(entry) != AE_IFREG) {
      refuse_device(entry, *place);
    } else {
      const std::string content = read_entry(data, std::min(max_file, most_bytes - bytes));
      bytes += content.size();
      placer.file(*place, content, libarchive().entry_perm(entry));
    }
  });
  return copyright;
}

std::string copy_installed(const std::vector<std::string>& files, const fs::path& directory) {
  Placer placer(directory);
  std::string copyright;
  for (const auto& path : files) {
    auto place = layout_path(path);
    struct stat status {};
    if (place && copyright.empty() && is_copyright(*place) && ::lstat(path.c_str(), &status) == 0 &&
        S_ISREG(status.st_mode))
      copyright = read_file(path, max_copyright_file);
    if (!place || left_out(*place) || ::lstat(path.c_str(), &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      placer.link(*place, path, fs::read_symlink(path).string());
    } else if (S_ISREG(status.st_mode)) {
      placer.file(*place, read_file(path, max_file), status.st_mode);
    }
  }
  return copyright;
}

}  // namespace flox::package
