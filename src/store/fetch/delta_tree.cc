#include "store/fetch/delta_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/fd.h"
#include "store/index/chunk_cutter.h"

namespace flox::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t read_size = 1 << 20;  // bytes of a base at once

// The nodes come in an order in which those of a directory follow it, so only the directories above one are
// open.
void make_nodes(const NarIndex& index, const fs::path& tree) {
  struct Above {
    size_t node;
    Fd fd;
  };
  std::vector<Above> above;
  for (size_t i = 0; i < index.nodes.size(); ++i) {
    const NarIndex::Node& node = index.nodes[i];
    while (i > 0 && above.back().node != node.parent) above.pop_back();
    const int parent = i == 0 ? AT_FDCWD : above.back().fd.get();
    const std::string name = i == 0 ? tree.string() : node.name;
    if (node.type == NarIndex::Type::symlink) {
      if (::symlinkat(node.target.c_str(), parent, name.c_str()) != 0) fail_errno(errno, "making a link");
    } else if (node.type == NarIndex::Type::directory) {
      if (::mkdirat(parent, name.c_str(), 0700) != 0) fail_errno(errno, "making a directory");
      Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd) fail_errno(errno, "opening a directory");
      above.push_back({i, std::move(fd)});
    } else {
      const mode_t mode = node.type == NarIndex::Type::executable ? 0700 : 0600;
      const Fd fd(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
      if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(node.size)) != 0)
        fail_errno(errno, "making a file");
    }
  }
}

struct DigestHash {
  size_t operator()(const Sha256Digest& digest) const noexcept {
    size_t value = 0;
    std::memcpy(&value, digest.data(), sizeof value);
    return value;
  }
};

// Looks for the chunks of an index in files.
class ChunkSearch {
 public:
  ChunkSearch(const NarIndex& index, const fs::path& tree, const std::function<bool()>& is_over)
      : index_(index), is_over_(is_over), writer_(index, tree), missing_(index.chunks.size(), true) {
    wanted_.reserve(index.chunks.size());
    for (uint32_t i = 0; i < index.chunks.size(); ++i) {
      wanted_.emplace(index.chunks[i].hash, i);
      sizes_.insert(index.chunks[i].size);
    }
  }

  // Each chunk at its own place of the NAR. What cannot be read is passed over.
  void look_at_places(const fs::path& unfinished) {
    const Fd fd(::open(unfinished.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    for (uint32_t chunk = 0; fd && chunk < index_.chunks.size() && !wanted_.empty(); ++chunk) {
      stop_if_over();
      look_at(fd.get(), chunk, index_.chunks[chunk].nar_offset);
    }
  }

  // A tree, without following a link. What cannot be read is passed over.
  void look_in(int parent, const std::string& name) {
    if (wanted_.empty()) return;
    stop_if_over();
    const Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) return;
    if (S_ISDIR(status.st_mode)) {
      const Directory directory(Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)), name);
      for (const std::string& entry : directory.names()) look_in(fd.get(), entry);
    } else if (S_ISREG(status.st_mode)) {
      look_in_file(fd.get());
    }
  }
  std::vector<bool> missing() && { return std::move(missing_); }

 private:
  void stop_if_over() const {
    if (is_over_()) fail(ErrorKind::unavailable, "it was stopped");
  }
  void look_at(int fd, uint32_t chunk, uint64_t offset) {
    const auto size = static_cast<off_t>(index_.chunks[chunk].size);
    const auto begin = static_cast<off_t>(offset);
    const off_t data = ::lseek(fd, begin, SEEK_DATA);
    if (!missing_[chunk] || data < 0 || data >= begin + size) return;  // a hole
    chunk_.resize(index_.chunks[chunk].size);
    if (read_at(fd, chunk_.data(), chunk_.size(), offset) == chunk_.size()) take_chunk();
    chunk_.clear();
  }
  void look_in_file(int fd) {
    ChunkCutter cutter;
    chunk_.clear();
    buffer_.resize(read_size);
    for (;;) {
      stop_if_over();
      const ssize_t size = ::read(fd, buffer_.data(), buffer_.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return;  // the disk is damaged here: not our business
      if (size == 0) break;
      std::string_view rest(buffer_.data(), static_cast<size_t>(size));
      while (!rest.empty()) {
        const auto next = cutter.next(rest);
        chunk_.append(rest.substr(0, next.size));
        rest.remove_prefix(next.size);
        if (next.ends) take_chunk();
      }
    }
    if (!chunk_.empty()) take_chunk();
  }
  void take_chunk() {
    if (sizes_.contains(static_cast<uint32_t>(chunk_.size()))) {
      const auto [begin, end] = wanted_.equal_range(sha256(chunk_));
      for (auto one = begin; one != end; ++one) {
        if (index_.chunks[one->second].size != chunk_.size()) continue;  // no two hashes are equal so
        writer_.write(one->second, chunk_);
        missing_[one->second] = false;
      }
      wanted_.erase(begin, end);
    }
    chunk_.clear();
  }

  const NarIndex& index_;
  const std::function<bool()>& is_over_;
  ChunkWriter writer_;
  std::vector<bool> missing_;
  std::unordered_multimap<Sha256Digest, uint32_t, DigestHash> wanted_;
  std::unordered_set<uint32_t> sizes_;  // of wanted chunks: what has another size need not be hashed
  std::string buffer_, chunk_;
};

}  // namespace

void ChunkWriter::write(size_t chunk, std::string_view bytes) {
  // The file whose chunks these are: the last one that begins at this chunk or before, of those that have
  // any.
  const auto has_it = [&](size_t node) {
    const NarIndex::Node& candidate = index_.nodes[node];
    return candidate.is_file() && chunk >= candidate.first_chunk &&
           chunk - candidate.first_chunk < candidate.chunk_count;
  };
  if (node_ >= index_.nodes.size() || !has_it(node_)) {
    if (files_.empty())
      for (uint32_t i = 0; i < index_.nodes.size(); ++i)
        if (index_.nodes[i].chunk_count > 0) files_.push_back(i);
    const auto after =
        std::ranges::upper_bound(files_, chunk, {}, [&](uint32_t i) { return index_.nodes[i].first_chunk; });
    node_ = *std::prev(after);
    const std::string path = index_.path_of(node_);
    file_ = path.empty() ? open_file(tree_.string(), O_WRONLY | O_NOFOLLOW)
                         : Directory(tree_).open(path, O_WRONLY);
  }
  write_all_at(file_.get(), bytes, index_.chunks[chunk].nar_offset - index_.nodes[node_].nar_offset);
}

std::vector<bool> make_delta_tree(const NarIndex& index, const std::vector<fs::path>& bases,
                                  const fs::path& unfinished, const fs::path& tree,
                                  const std::function<bool()>& is_over) {
  make_nodes(index, tree);
  ChunkSearch search(index, tree, is_over);
  if (!unfinished.empty()) search.look_at_places(unfinished);
  for (const fs::path& base : bases) search.look_in(AT_FDCWD, base.string());
  return std::move(search).missing();
}

}  // namespace flox::store
