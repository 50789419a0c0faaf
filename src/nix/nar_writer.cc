#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/os/fd.h"
#include "nix/nar.h"

namespace flox::nix {
namespace {

constexpr size_t buffer_size = 256 * 1024;
// Of the names in directories that are open at once, in the tree of a stranger: half a million usual ones.
constexpr size_t most_name_bytes = 32 << 20;
constexpr size_t name_cost = 64;  // bytes beside its text

class Writer {
 public:
  Writer(const ByteSink& sink, uint64_t first, const NodeVisitor* visit = nullptr,
         uint64_t most_nodes = UINT64_MAX)
      : sink_(sink), skip_(first), visit_(visit), nodes_left_(most_nodes) {
    buffer_.reserve(buffer_size);
  }

  // The node NAME in the directory `parent`; `shown` is its path for error messages, `type` what its
  // directory says of it (readdir(3)).
  void node(int parent, const std::string& name, const std::string& shown, size_t depth, int type) {
    if (depth > max_nar_depth)
      fail(ErrorKind::invalid_input, "{}: the tree is more than {} levels deep", shown, max_nar_depth);
    string("(");
    string("type");
    if (type == DT_UNKNOWN) type = IFTODT(status_of(parent, name, shown).st_mode);
    if (type == DT_REG) {
      regular(parent, name, shown);
    } else if (type == DT_LNK) {
      if (visit_ != nullptr) (*visit_)(-1, status_of(parent, name, shown), shown);
      string("symlink");
      string("target");
      string(target_of(parent, name, shown));
    } else if (type == DT_DIR) {
      directory(parent, name, shown, depth);
    } else {
      fail(ErrorKind::invalid_input,
           "{} is neither a file nor a directory nor a symlink; a store cannot hold it", shown);
    }
    string(")");
  }

  void string(std::string_view text) {
    length(text.size());
    bytes(text);
    pad(text.size());
  }

  void flush() {
    const uint64_t skipped = std::min<uint64_t>(skip_, buffer_.size());
    skip_ -= skipped;
    if (buffer_.size() > skipped) sink_(std::string_view(buffer_).substr(skipped));
    buffer_.clear();
  }

 private:
  void regular(int parent, const std::string& name, const std::string& shown) {
    // O_NONBLOCK: what was a file a moment ago may be a fifo now.
    const Fd fd = open(parent, name, O_NONBLOCK | O_NOCTTY, shown);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "reading {}", shown);
    if (!S_ISREG(status.st_mode)) fail(ErrorKind::conflict, "{} changed while it was read", shown);
    if (visit_ != nullptr) (*visit_)(fd.get(), status, shown);
    string("regular");
    if ((status.st_mode & S_IXUSR) != 0) {
      string("executable");
      string("");
    }
    string("contents");
    const auto size = static_cast<uint64_t>(status.st_size);
    length(size);
    const uint64_t skipped = skip(fd.get(), size);
    for (uint64_t left = size - skipped; left > 0;) {
      if (buffer_.size() >= buffer_size) flush();
      const size_t start = buffer_.size();
      const auto wanted = static_cast<size_t>(std::min<uint64_t>(left, buffer_size - start));
      buffer_.resize(start + wanted);
      const size_t got =
          in_context("reading " + shown, [&] { return read_some(fd.get(), buffer_.data() + start, wanted); });
      buffer_.resize(start + got);
      if (got == 0) fail(ErrorKind::conflict, "{} became shorter while it was read", shown);
      left -= got;
    }
    pad(size);
  }

  // Goes past as much of a file of `size` bytes as lies before what is wanted; how many bytes that is.
  uint64_t skip(int fd, uint64_t size) {
    if (skip_ == 0) return 0;
    flush();
    const uint64_t skipped = std::min(skip_, size);
    skip_ -= skipped;
    if (::lseek(fd, static_cast<off_t>(skipped), SEEK_SET) < 0) fail_errno(errno, "seeking in a file");
    return skipped;
  }

  struct Entry {
    std::string name;
    int type;  // DT_REG, … or DT_UNKNOWN
  };

  void directory(int parent, const std::string& name, const std::string& shown, size_t depth) {
    const Fd fd = open(parent, name, O_DIRECTORY, shown);
    if (visit_ != nullptr) {
      struct stat status {};
      if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "reading {}", shown);
      (*visit_)(fd.get(), status, shown);
    }
    string("directory");
    const size_t names_before = name_bytes_;
    for (const Entry& entry : sorted_entries(fd.get(), shown)) {
      string("entry");
      string("(");
      string("name");
      string(entry.name);
      string("node");
      node(fd.get(), entry.name, shown + "/" + entry.name, depth + 1, entry.type);
      string(")");
    }
    name_bytes_ = names_before;
  }

  // By getdents64(2): a DIR would be a second descriptor and four more system calls for each directory, of
  // which packages have one for each two or three files.
  std::vector<Entry> sorted_entries(int directory, const std::string& shown) {
    std::vector<Entry> entries;
    if (!listing_) listing_ = std::make_unique<Listing>();
    for (;;) {
      const ssize_t size = ::getdents64(directory, listing_->bytes, sizeof listing_->bytes);
      if (size < 0) fail_errno(errno, "reading {}", shown);
      if (size == 0) break;
      for (ssize_t at = 0; at < size;) {
        const auto* entry = reinterpret_cast<const dirent64*>(listing_->bytes + at);
        at += entry->d_reclen;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") entries.push_back({std::string(name), entry->d_type});
        if (entries.size() > nodes_left_)
          fail(ErrorKind::invalid_input, "{} has more files than it can have", shown);
        if (visit_ != nullptr && (name_bytes_ += name.size() + name_cost) > most_name_bytes)
          fail(ErrorKind::invalid_input,
               "{} and the directories above it have more names than fit into {} MiB", shown,
               most_name_bytes >> 20);
      }
    }
    nodes_left_ -= entries.size();
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
  }

  // For reading, following no link. Times of access stay as they are where they may: to change them for each
  // file takes longer than to read it.
  static Fd open(int parent, const std::string& name, int flags, const std::string& shown) {
    flags |= O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(::openat(parent, name.c_str(), flags | O_NOATIME));
    if (!fd && errno == EPERM) fd = Fd(::openat(parent, name.c_str(), flags));  // it is another user's
    if (!fd) fail_errno(errno, "reading {}", shown);
    return fd;
  }

  static struct stat status_of(int parent, const std::string& name, const std::string& shown) {
    struct stat status {};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      fail_errno(errno, "reading {}", shown);
    return status;
  }

  static std::string target_of(int parent, const std::string& name, const std::string& shown) {
    std::string target(4096, '\0');  // PATH_MAX; Linux has no longer targets
    const ssize_t size = ::readlinkat(parent, name.c_str(), target.data(), target.size());
    if (size < 0) fail_errno(errno, "reading the symlink {}", shown);
    target.resize(static_cast<size_t>(size));
    return target;
  }

  void length(uint64_t value) {
    char text[8];
    for (char& byte : text) {
      byte = static_cast<char>(value & 0xff);
      value >>= 8;
    }
    bytes({text, sizeof text});
  }

  void pad(uint64_t size) { bytes(std::string_view("\0\0\0\0\0\0\0", (8 - size % 8) % 8)); }

  void bytes(std::string_view text) {
    if (buffer_.size() + text.size() > buffer_size) flush();
    buffer_ += text;
  }

  const ByteSink& sink_;
  uint64_t skip_;  // bytes, the buffer's included, that are not wanted
  const NodeVisitor* visit_;
  uint64_t nodes_left_;
  size_t name_bytes_ = 0;
  std::string buffer_;
  struct Listing {
    alignas(dirent64) char bytes[32 * 1024];
  };
  std::unique_ptr<Listing> listing_;
};

}  // namespace

void write_nar_of_stranger(const std::filesystem::path& path, const ByteSink& sink, const NodeVisitor& visit,
                           uint64_t most_nodes) {
  Writer writer(sink, 0, &visit, most_nodes);
  writer.string("nix-archive-1");
  writer.node(AT_FDCWD, path.string(), path.string(), 0, DT_UNKNOWN);
  writer.flush();
}

void write_nar(const std::filesystem::path& path, const ByteSink& sink, uint64_t first) {
  Writer writer(sink, first);
  writer.string("nix-archive-1");
  writer.node(AT_FDCWD, path.string(), path.string(), 0, DT_UNKNOWN);
  writer.flush();
}

}  // namespace flox::nix
