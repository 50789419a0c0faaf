#include "lazy/fuse_session.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "lazy/fuse_mount.h"
#include "lazy/mounted_paths.h"

namespace flox::lazy {
namespace {

constexpr uint64_t forever = 365ull * 24 * 3600;  // s; a store path never changes
constexpr uint64_t root_node = FUSE_ROOT_ID;

uint64_t node_id(uint32_t slot, uint32_t number) { return uint64_t{slot} << 32 | number; }

// A node of the mount, as a request names it.
struct Found {
  std::shared_ptr<const MountedPath> path;
  const PathTree::Node* node = nullptr;
  explicit operator bool() const { return node != nullptr; }
};

void set_times(fuse_attr& attributes) {
  attributes.atime = attributes.mtime = attributes.ctime = 1;
}  // as in the store

fuse_attr attributes_of(uint64_t id, const PathTree::Node& node) {
  fuse_attr attributes{};
  attributes.ino = id;
  attributes.size = node.size;
  attributes.blocks = (node.size + 511) / 512;
  attributes.nlink = 1;
  attributes.blksize = 4096;
  set_times(attributes);
  attributes.mode = mode_of(node.kind, node.executable);
  return attributes;
}

fuse_attr root_attributes() {
  fuse_attr attributes{};
  attributes.ino = root_node;
  attributes.mode = S_IFDIR | 0555;
  attributes.nlink = 2;
  attributes.blksize = 4096;
  set_times(attributes);
  return attributes;
}

uint32_t directory_type(NodeKind kind) { return mode_of(kind, false) >> 12; }

template <typename Struct>
std::string_view bytes(const Struct& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

struct FuseSession::State : std::enable_shared_from_this<State> {
  State(Fd a_device, MountedPaths& the_paths)
      : device(std::move(a_device)), paths(the_paths), stopping(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!stopping) fail_errno(errno, "making an eventfd");
  }

  // An answer is one write. ENOENT: whoever asked was killed; ENOTCONN, ENODEV: the mount ended.
  void answer(uint64_t unique, int error, std::string_view body = {}) const {
    fuse_out_header header{static_cast<uint32_t>(sizeof header + body.size()), -error, unique};
    const iovec parts[] = {{&header, sizeof header}, {const_cast<char*>(body.data()), body.size()}};
    while (writev(device.get(), parts, body.empty() ? 1 : 2) < 0 && errno == EINTR) {
    }
  }

  Found find(uint64_t id) const {
    Found found;
    found.path = paths.by_slot(static_cast<uint32_t>(id >> 32));
    const auto number = static_cast<uint32_t>(id);
    if (found.path && number < found.path->tree->nodes().size())
      found.node = &found.path->tree->nodes()[number];
    return found;
  }

  void lookup(const fuse_in_header& header, std::string_view name) const;
  void attributes(const fuse_in_header& header) const;
  void link(const fuse_in_header& header) const;
  void names(const fuse_in_header& header, const fuse_read_in& request) const;
  void read(const fuse_in_header& header, const fuse_read_in& request) const;
  void handle(std::string_view request) const;

  Fd device;
  MountedPaths& paths;
  Fd stopping;
};

void FuseSession::State::lookup(const fuse_in_header& header, std::string_view name) const {
  fuse_entry_out entry{};
  if (header.nodeid == root_node) {
    const auto path = paths.by_name(name);
    // Not remembered: the name may be added the moment after.
    if (!path) return answer(header.unique, ENOENT);
    entry.nodeid = node_id(path->slot, 0);
    entry.attr = attributes_of(entry.nodeid, path->tree->nodes()[0]);
    entry.entry_valid = entry.attr_valid = forever;
    return answer(header.unique, 0, bytes(entry));
  }
  const Found directory = find(header.nodeid);
  if (!directory) return answer(header.unique, ESTALE);
  if (directory.node->kind != NodeKind::directory) return answer(header.unique, ENOTDIR);
  entry.entry_valid = entry.attr_valid = forever;
  // Without a node: the kernel remembers that there is none.
  if (const auto child = directory.path->tree->child(*directory.node, name)) {
    entry.nodeid = node_id(directory.path->slot, *child);
    entry.attr = attributes_of(entry.nodeid, directory.path->tree->nodes()[*child]);
  }
  answer(header.unique, 0, bytes(entry));
}

void FuseSession::State::attributes(const fuse_in_header& header) const {
  fuse_attr_out out{};
  out.attr_valid = forever;
  if (header.nodeid == root_node) {
    out.attr = root_attributes();
  } else {
    const Found found = find(header.nodeid);
    if (!found) return answer(header.unique, ESTALE);
    out.attr = attributes_of(header.nodeid, *found.node);
  }
  answer(header.unique, 0, bytes(out));
}

void FuseSession::State::link(const fuse_in_header& header) const {
  const Found found = find(header.nodeid);
  if (!found) return answer(header.unique, ESTALE);
  if (found.node->kind != NodeKind::symlink) return answer(header.unique, EINVAL);
  answer(header.unique, 0, found.path->tree->target(*found.node));
}

namespace {

// Adds a name to the answer for a directory; false if it does not fit any more.
bool add_name(std::string& answer, size_t room, uint64_t id, uint64_t next, std::string_view name,
              uint32_t type) {
  const size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name.size());
  if (answer.size() + size > room) return false;
  fuse_dirent entry{};
  entry.ino = id;
  entry.off = next;
  entry.namelen = static_cast<uint32_t>(name.size());
  entry.type = type;
  const size_t begin = answer.size();
  answer.append(reinterpret_cast<const char*>(&entry), FUSE_NAME_OFFSET);
  answer += name;
  answer.resize(begin + size, '\0');
  return true;
}

}  // namespace

void FuseSession::State::names(const fuse_in_header& header, const fuse_read_in& request) const {
  std::string body;
  const size_t room = std::min(request.size, most_read);
  if (header.nodeid == root_node) {
    // The offset of a name is its slot, so what is added meanwhile moves no other.
    constexpr size_t at_once = 512;
    for (const auto& path : paths.from(static_cast<uint32_t>(request.offset) + 1, at_once))
      if (!add_name(body, room, node_id(path->slot, 0), path->slot, path->name,
                    directory_type(path->tree->nodes()[0].kind)))
        break;
    return answer(header.unique, 0, body);
  }
  const Found directory = find(header.nodeid);
  if (!directory) return answer(header.unique, ESTALE);
  if (directory.node->kind != NodeKind::directory) return answer(header.unique, ENOTDIR);
  const auto& tree = *directory.path->tree;
  for (uint64_t at = request.offset; at < directory.node->children; ++at) {
    const uint32_t number = directory.node->first_child + static_cast<uint32_t>(at);
    const auto& child = tree.nodes()[number];
    if (!add_name(body, room, node_id(directory.path->slot, number), at + 1, tree.name(child),
                  directory_type(child.kind)))
      break;
  }
  answer(header.unique, 0, body);
}

namespace {

// Counts a read that waits.
class Waits {
 public:
  explicit Waits(std::shared_ptr<ReadCounts> counts) : counts_(std::move(counts)) {}
  void end(int error) const {
    counts_->ended(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun_),
        error);
  }

 private:
  std::shared_ptr<ReadCounts> counts_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace

void FuseSession::State::read(const fuse_in_header& header, const fuse_read_in& request) const {
  const Found found = find(header.nodeid);
  if (!found) return answer(header.unique, ESTALE);
  if (found.node->kind != NodeKind::regular) return answer(header.unique, EINVAL);
  if (request.offset >= found.node->size) return answer(header.unique, 0);
  const uint64_t length = std::min<uint64_t>({request.size, most_read, found.node->size - request.offset});
  const uint32_t file = found.node->file;
  found.path->contents->want(file, request.offset, length,
                             [weak = weak_from_this(), path = found.path, file, unique = header.unique,
                              offset = request.offset, length, waits = Waits(found.path->counts)](int error) {
                               waits.end(error);
                               // The session has ended, and with it the mount.
                               const auto state = weak.lock();
                               if (state == nullptr) return;
                               if (error != 0) return state->answer(unique, error);
                               thread_local std::string buffer;
                               size_t got = 0;
                               try {
                                 buffer.resize(most_read);
                                 got = path->contents->read(file, offset, buffer.data(), length);
                               } catch (const std::exception& problem) {
                                 log::error("{}: {}", path->name, to_error(problem).what());
                               }
                               // Fewer: the file on the disk was damaged. Never answered with zeros.
                               if (got < length) {
                                 ++path->counts->failed;
                                 return state->answer(unique, EIO);
                               }
                               state->answer(unique, 0, {buffer.data(), got});
                             });
}

void FuseSession::State::handle(std::string_view request) const {
  fuse_in_header header;
  if (request.size() < sizeof header) return;
  std::memcpy(&header, request.data(), sizeof header);
  const std::string_view body = request.substr(sizeof header);
  const auto as_read = [&] {
    fuse_read_in in{};
    std::memcpy(&in, body.data(), std::min(sizeof in, body.size()));
    return in;
  };
  switch (header.opcode) {
    case FUSE_LOOKUP:
      return lookup(header, body.substr(0, body.find('\0')));
    case FUSE_GETATTR:
      return attributes(header);
    case FUSE_READLINK:
      return link(header);
    case FUSE_READDIR:
      return names(header, as_read());
    case FUSE_READ:
      return read(header, as_read());
    case FUSE_STATFS: {
      fuse_statfs_out out{};
      out.st.bsize = out.st.frsize = 4096;
      out.st.namelen = 255;
      return answer(header.unique, 0, bytes(out));
    }
    // Nodes are numbers, kept for nobody. Interrupts: buffered reads wait in the page cache, where a fatal
    // signal ends the wait; other signals do not interrupt a read of a regular file.
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;
    // Remembered by the kernel: open(2) and opendir(3) are no request any more, their caches are kept, and
    // there are no extended attributes.
    case FUSE_OPEN:
    case FUSE_OPENDIR:
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
    case FUSE_ACCESS:
    default:
      return answer(header.unique, ENOSYS);
  }
}

FuseSession::FuseSession(Fd device, MountedPaths& paths)
    : state_(std::make_shared<State>(std::move(device), paths)) {}

FuseSession::~FuseSession() { stop(); }

void FuseSession::take_over() const {
  const fuse_out_header notice{sizeof notice, notify_resend, 0};
  const iovec part{const_cast<fuse_out_header*>(&notice), sizeof notice};
  while (writev(state_->device.get(), &part, 1) < 0) {
    if (errno == EINTR) continue;
    if (errno == ENODEV || errno == ENOTCONN) return;  // unmounted, which serve() says
    fail_errno(errno, "having the kernel send again what an earlier process did not answer");
  }
}

void FuseSession::stop() {
  const uint64_t one = 1;
  (void)!write(state_->stopping.get(), &one, sizeof one);
}

void FuseSession::serve() {
  std::string request(request_room, '\0');
  for (;;) {
    pollfd waiting[] = {{state_->device.get(), POLLIN, 0}, {state_->stopping.get(), POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) fail_errno(errno, "waiting for a request of the kernel");
    if (waiting[1].revents != 0) return;
    const ssize_t got = ::read(state_->device.get(), request.data(), request.size());
    if (got < 0) {
      if (errno == ENODEV) return;  // unmounted
      if (errno == EAGAIN || errno == EINTR || errno == ENOENT) continue;
      fail_errno(errno, "reading a request of the kernel");
    }
    state_->handle({request.data(), static_cast<size_t>(got)});
  }
}

}  // namespace flox::lazy
