#include "node/policy/policy_file.h"

#include <sys/stat.h>

#include <ctime>

#include "base/error.h"
#include "base/log.h"
#include "node/policy/reader.h"

namespace flox::policy {
namespace {

int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

// A file that is written in place is half there meanwhile, and half a policy can be a wider one. Of what was
// changed so lately more may come; a file that was renamed into place is another one, and whole.
constexpr int64_t settling = 250'000'000;  // nanoseconds

void log_in_force(const Policy& policy) {
  log::info("policy {}: {} rules allow, {} deny; what none allows is denied", policy.file,
            policy.allows.size(), policy.denies.size());
}

}  // namespace

int64_t PolicyFile::now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

PolicyFile::PolicyFile(const std::filesystem::path& named, const Defaults& defaults,
                       const std::filesystem::path& otherwise, Clock clock)
    : path_(named.empty() ? otherwise : named), defaults_(defaults), clock_(std::move(clock)) {
  read_ = stamp();
  if (!read_.exists && named.empty()) {
    policy_ = std::make_shared<Policy>(Policy{.file = {}, .defaults = defaults, .denies = {}, .allows = {}});
    return;
  }
  policy_ = std::make_shared<Policy>(load_policy(path_, defaults_));
  log_in_force(*policy_);
}

PolicyFile::Stamp PolicyFile::stamp() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return {};
  return {.exists = true,
          .device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<uint64_t>(status.st_size),
          .changed = nanoseconds(status.st_ctim),
          .modified = nanoseconds(status.st_mtim)};
}

std::shared_ptr<const Policy> PolicyFile::current() {
  const std::scoped_lock lock(mutex_);
  if (const Stamp now = stamp(); now != read_ && !is_being_written(now)) read_again(now);
  return policy_;
}

bool PolicyFile::is_being_written(const Stamp& now) const {
  if (!now.exists || !read_.exists || now.inode != read_.inode || now.device != read_.device) return false;
  const int64_t age = clock_() - now.changed;
  return age >= 0 && age < settling;  // a time to come is a clock's fault, and no reason to wait
}

void PolicyFile::reload() {
  const std::scoped_lock lock(mutex_);
  const Stamp now = stamp();
  if (now.exists || policy_->has_rules()) read_again(now);
}

void PolicyFile::read_again(const Stamp& now) {
  read_ = now;
  try {
    policy_ = std::make_shared<Policy>(load_policy(path_, defaults_));
    trouble_.clear();
    log_in_force(*policy_);
  } catch (const Error& error) {
    trouble_ = error.what();
    log::error("the policy is not read again, what was in force stays in force: {}{}{}", trouble_,
               error.advice().empty() ? "" : ". ", error.advice());
  }
}

std::string PolicyFile::trouble() const {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

}  // namespace flox::policy
