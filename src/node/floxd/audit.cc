#include "node/floxd/audit.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"

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
          write_to_file(line);
        losing_ = false;
      } catch (const std::exception& error) {
        lose(message_of(error));
      }
  }
}

void AuditLog::lose(const std::string& why) {
  open_file_.reset();
  open_journal_.reset();
  metrics_.audit_lost();
  if (!losing_) log::error("the audit log loses lines (flox_audit_lost_total counts them): {}", why);
  losing_ = true;
}

void AuditLog::write_to_file(const std::string& line) {
  if (!open_file_) {
    std::filesystem::create_directories(directory_of(file_));
    open_file_.emplace(file_, largest_, static_cast<unsigned>(files_ - 1));
  }
  open_file_->add(line);
}

// https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
void AuditLog::write_to_journal(const std::string& line) {
  if (!open_journal_) {
    open_journal_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!open_journal_) fail_errno(errno, "making a socket");
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = journal_.string();
    if (path.size() >= sizeof address.sun_path) fail(ErrorKind::invalid_input, "{}: too long", path);
    path.copy(address.sun_path, path.size());
    if (::connect(open_journal_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail_errno(errno, "connecting to the journal at {}", path);
  }
  const std::string message = "PRIORITY=6\nSYSLOG_IDENTIFIER=flox-audit\nMESSAGE=" + line + "\n";
  for (bool again = true;; again = false) {
    if (::send(open_journal_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) return;
    if (errno != EAGAIN || !again) fail_errno(errno, "writing to the journal");
    pollfd ready{.fd = open_journal_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&ready, 1, journal_patience);
  }
}

}  // namespace flox::node
