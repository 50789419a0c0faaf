#include "node/floxd/audit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::node {
namespace {

constexpr size_t most_waiting_lines = 4096;  // lines
constexpr size_t longest_line = 16 << 10;    // bytes of one
constexpr int journal_patience = 1000;       // milliseconds

std::filesystem::path audit_file_of(const std::string& setting) {
  if (setting.empty() || setting == "journald") return {};
  if (!std::filesystem::path(setting).is_absolute())
    throw Error(ErrorKind::invalid_input,
                fmt::format("audit = '{}': it is neither journald nor an absolute path", setting),
                "Set audit to \"journald\", to a path such as \"/var/log/flox/audit.jsonl\", or to \"\".");
  return setting;
}

}  // namespace

AuditLog::AuditLog(const PolicySettings& settings, Metrics& metrics, std::filesystem::path journal)
    : file_(audit_file_of(settings.audit)),
      journal_(std::move(journal)),
      largest_(settings.audit_size.bytes),
      files_(settings.audit_files),
      metrics_(metrics) {
  if (!settings.audit.empty()) thread_ = std::thread([this] { run(); });
}

AuditLog::~AuditLog() {
  if (!is_on()) return;
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void AuditLog::write(std::string line) {
  if (!is_on()) return;
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() < most_waiting_lines && line.size() < longest_line) {
      waiting_.push_back(std::move(line));
      changed_.notify_one();
      return;
    }
  }
  metrics_.audit_lost();
}

void AuditLog::run() {
  for (;;) {
    std::deque<std::string> lines;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      lines.swap(waiting_);
    }
    for (const std::string& line : lines) try {
        if (file_.empty())
          write_to_journal(line);
        else
          write_to_file(line + "\n");
        losing_ = false;
      } catch (const std::exception& error) {
        lose(message_of(error));
      }
  }
}

void AuditLog::lose(const std::string& why) {
  open_.reset();
  metrics_.audit_lost();
  if (!losing_) log::error("the audit log loses lines (flox_audit_lost_total counts them): {}", why);
  losing_ = true;
}

void AuditLog::write_to_file(const std::string& line) {
  if (!open_) {
    std::filesystem::create_directories(file_.parent_path());
    open_ = open_file(file_, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
  }
  struct stat status {};
  if (::fstat(open_.get(), &status) != 0) fail_errno(errno, "examining {}", file_.string());
  if (!S_ISREG(status.st_mode)) fail(ErrorKind::invalid_input, "{} is not a file", file_.string());
  // Another name, or none, stands for what an operator has moved away.
  struct stat named {};
  const bool moved = ::lstat(file_.c_str(), &named) != 0 || named.st_ino != status.st_ino;
  const auto size = static_cast<uint64_t>(status.st_size);
  if (moved || (largest_ != 0 && size > 0 && size + line.size() > largest_)) {
    open_.reset();
    if (!moved) set_aside();
    return write_to_file(line);
  }
  const ssize_t written = ::write(open_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  // No half line stays.
  if (written > 0 && ::ftruncate(open_.get(), status.st_size) != 0)
    fail_errno(errno, "writing {}", file_.string());
  fail_errno(error, "writing {}", file_.string());
}

void AuditLog::set_aside() {
  const auto numbered = [&](size_t number) { return fmt::format("{}.{}", file_.string(), number); };
  if (files_ == 1) {
    std::filesystem::remove(file_);
    return;
  }
  for (size_t number = files_ - 1; number > 1; --number)
    if (std::filesystem::exists(numbered(number - 1)))
      std::filesystem::rename(numbered(number - 1), numbered(number));
  std::filesystem::rename(file_, numbered(1));
}

// https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
void AuditLog::write_to_journal(const std::string& line) {
  if (!open_) {
    open_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!open_) fail_errno(errno, "making a socket");
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = journal_.string();
    if (path.size() >= sizeof address.sun_path) fail(ErrorKind::invalid_input, "{}: too long", path);
    path.copy(address.sun_path, path.size());
    if (::connect(open_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail_errno(errno, "connecting to the journal at {}", path);
  }
  const std::string message = "PRIORITY=6\nSYSLOG_IDENTIFIER=flox-audit\nMESSAGE=" + line + "\n";
  for (bool again = true;; again = false) {
    if (::send(open_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) return;
    if (errno != EAGAIN || !again) fail_errno(errno, "writing to the journal");
    pollfd ready{.fd = open_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&ready, 1, journal_patience);
  }
}

}  // namespace flox::node
