#include "node/shared/store_reader.h"

#include <sys/stat.h>
#include <utime.h>

#include <algorithm>
#include <charconv>

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "base/os/replaced_link.h"
#include "env/manifest.h"
#include "node/installer/runtime_closure.h"
#include "node/installer/state_names.h"
#include "node/shared/messages.h"
#include "store/gc/lease.h"
#include "store/local/named_root.h"
#include "store/local/reference_order.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;

constexpr const char* runtime_root = "flox-runtime";
constexpr const char* runtime_holder = "runtime";
constexpr size_t instance_size = 16;  // bytes
constexpr size_t most_note = 4096;    // bytes of a file below STATE/shared
constexpr auto first_pause = std::chrono::milliseconds(20);
constexpr auto longest_pause = std::chrono::milliseconds(1000);
// A writer's floxd that is being replaced is waited for.
constexpr auto writer_patience = std::chrono::seconds(5);
constexpr std::time_t clock_play = 60;  // seconds by which a clock may be set back

// The reader's own number, made when it is first asked for.
std::string instance_in(const fs::path& directory) {
  const fs::path file = directory / "instance";
  if (!fs::exists(file)) write_file_synced(file, random_bytes(instance_size), 0600);
  return read_file(file, most_note);
}

WriterClient::Options of_instance(WriterClient::Options options, const fs::path& directory) {
  fs::create_directories(directory / "profiles");
  options.instance = instance_in(directory);
  return options;
}

bool is_of_network(const Error& error) { return error.kind() == ErrorKind::unavailable; }

}  // namespace

StoreReader::StoreReader(store::LocalStore& store, WriterClient::Options writer, Options options)
    : store_(store),
      client_(of_instance(std::move(writer), options.state / state::shared)),
      options_(std::move(options)),
      directory_(options_.state / state::shared),
      mount_(store.store_directory(), client_.writer(), options_.patience) {}

StoreReader::~StoreReader() = default;

StoreIdentity StoreReader::identity() const {
  const std::string text = read_file(directory_ / "identity", most_note);
  const size_t end = text.find('\n');
  if (end == std::string::npos)
    fail(ErrorKind::internal, "{} is damaged", (directory_ / "identity").string());
  return {.path = nix::StorePath::parse(text.substr(0, end)), .text = text.substr(end + 1)};
}

bool StoreReader::is_held() const {
  const fs::path file = directory_ / "lease-time";
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return false;
  const std::string text = read_file(file, most_note);
  int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  const std::time_t now = std::time(nullptr);
  // Of a time that has not come the clock was put back, by who knows how much.
  return status.st_mtime <= now + clock_play && status.st_mtime + seconds > now;
}

// When the writer last knew all leases of this node, as the file says.
void StoreReader::set_told(std::time_t time) const {
  const fs::path file = directory_ / "lease-time";
  const utimbuf times{.actime = time, .modtime = time};
  if (::utime(file.c_str(), &times) != 0) fail_errno(errno, "setting the time of {}", file.string());
}

void StoreReader::learn(const shared::v1::HelloAnswer& answer) {
  const StoreIdentity there{.path = nix::StorePath::parse(answer.identity_path()), .text = answer.identity()};
  mount_.require(there);
  const std::vector<nix::PathInfo> rows = rows_of(answer.runtime());
  const nix::StorePath runtime = nix::StorePath::parse(answer.runtime().root());
  mount_.require(nix::StorePathSet{runtime});
  const std::lock_guard lock(mutex_);
  store_.register_valid(rows);
  store::set_named_root(store_, runtime_root, runtime);
  runtime_ = runtime;
  const std::string identity = there.path.to_string() + "\n" + there.text;
  const bool is_same =
      fs::exists(directory_ / "identity") && read_file(directory_ / "identity", most_note) == identity;
  write_file_synced(directory_ / "identity", identity);
  const fs::path file = directory_ / "lease-time";
  const std::string seconds = std::to_string(answer.lease_seconds());
  struct stat before {};
  const bool is_there = is_same && ::stat(file.c_str(), &before) == 0;
  if (is_there && read_file(file, most_note) == seconds) return;
  // The writer has been asked, not told: what it knew it knows since then.
  write_file_synced(file, seconds);
  set_told(is_there ? before.st_mtime : 0);
}

nix::StorePath StoreReader::begin() {
  bool has_answered = false;
  try {
    shared::v1::HelloRequest request;
    request.set_system(env::current_system());
    const auto answer = client_.ask(std::move(request));
    has_answered = true;
    learn(answer);
    if (!is_held()) log::info("the writer {} does not know what this node has leased yet", client_.writer());
  } catch (const Error& error) {
    if (has_answered || !is_of_network(error) || !fs::exists(directory_ / "identity")) throw;
    runtime_ = current_runtime(store_);
    log::warning("{}; what this node has leased starts all the same", error.what());
  }
  if (is_held()) {
    const std::lock_guard lock(mutex_);
    for (const store::Lease& lease : store::list_leases(store_))
      held_.insert(lease.paths.begin(), lease.paths.end());
  }
  options_.heard(has_answered);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  return *runtime_;
}

void StoreReader::require_store() { mount_.require(identity()); }

fs::path StoreReader::profile_link(const Sha256Digest& key) const {
  return directory_ / "profiles" / to_hex(bytes_of(key));
}

std::optional<nix::StorePath> StoreReader::lease_held(const Sha256Digest& key, std::string_view holder) {
  std::error_code missing;
  const std::string target = fs::read_symlink(profile_link(key), missing).string();
  if (missing) return std::nullopt;
  const nix::StorePath profile = nix::StorePath::parse(target);
  const std::lock_guard lock(mutex_);
  if (!held_.contains(profile) || !is_held() || !store_.is_valid(profile)) return std::nullopt;
  store::lease_present(store_, holder, {profile});
  return profile;
}

nix::StorePath StoreReader::realise(const Work& work, std::string_view holder) {
  require_store();
  shared::v1::RealiseRequest request;
  request.set_holder(std::string(holder));
  request.set_lock(work.lock);
  request.set_system(std::string(work.system));
  request.set_mode(std::string(work.mode));
  request.set_lane(std::string(work.lane));
  request.set_most_bytes(work.limits.disk);
  request.set_most_milliseconds(static_cast<uint64_t>(work.limits.time.count()));
  shared::v1::RealiseAnswer answer;
  const auto begun = std::chrono::steady_clock::now();
  auto last_answer = begun;
  std::optional<std::chrono::steady_clock::time_point> refused;  // for the first time
  for (auto pause = first_pause; !answer.done(); pause = std::min(2 * pause, longest_pause)) {
    if (work.is_over && work.is_over()) fail(ErrorKind::unavailable, "nobody waits for it any more");
    try {
      answer = client_.ask(request);
      last_answer = std::chrono::steady_clock::now();
    } catch (const WriterRefusal& error) {
      // A floxd that is being stopped says that it cannot now. What it cannot for another reason it does not
      // try again and again, each time for as long as it takes.
      const auto now = std::chrono::steady_clock::now();
      if (!refused) refused = now;
      if (!is_of_network(error) || now - *refused > writer_patience || now - begun >= work.limits.time) throw;
      last_answer = now;
    } catch (const Error& error) {
      if (!is_of_network(error) || std::chrono::steady_clock::now() - last_answer > writer_patience)
        throw error.with_advice(
            fmt::format("See that floxd runs on the writer, {}, and that its peer_address can be reached "
                        "from this node. Pods that "
                        "run, and restarts of them, are not affected.",
                        client_.writer()));
    }
    if (answer.done()) break;
    if (work.on_progress)
      work.on_progress({.paths_total = answer.paths_total(),
                        .paths_done = answer.paths_done(),
                        .bytes_total = answer.bytes_total(),
                        .bytes_fetched = answer.bytes_fetched()});
    std::this_thread::sleep_for(pause);
  }

  const std::vector<nix::PathInfo> rows = rows_of(answer.profile());
  const nix::StorePath profile = nix::StorePath::parse(answer.profile().root());
  nix::StorePathSet paths;
  for (const nix::PathInfo& row : rows) paths.insert(row.path);
  mount_.require(paths);
  {
    const std::lock_guard lock(mutex_);
    ++arriving_;
    store_.register_valid(rows);
  }
  const auto arrived = [&](bool is_leased) {
    const std::lock_guard lock(mutex_);
    --arriving_;
    if (is_leased) held_.insert(profile);
  };
  try {
    if (work.check) work.check(store_);
    store::lease_present(store_, holder, {profile});
    const fs::path link = profile_link(work.key);
    replace_link(Directory(link.parent_path()), link.filename().native(), profile.to_string());
  } catch (...) {
    arrived(false);
    throw;
  }
  arrived(true);
  return profile;
}

void StoreReader::tell() {
  shared::v1::LeasesRequest request;
  nix::StorePathSet told;
  {
    const std::lock_guard lock(mutex_);
    for (const store::Lease& lease : store::list_leases(store_)) {
      if (lease.paths.empty()) continue;
      auto& entry = *request.add_leases();
      entry.set_holder(lease.holder);
      for (const nix::StorePath& path : lease.paths) entry.add_paths(path.to_string());
      told.insert(lease.paths.begin(), lease.paths.end());
    }
    if (runtime_) {
      auto& entry = *request.add_leases();
      entry.set_holder(runtime_holder);
      entry.add_paths(runtime_->to_string());
    }
    // What the writer is about to let go of must not be taken for leased meanwhile.
    std::erase_if(held_, [&](const nix::StorePath& path) { return !told.contains(path); });
  }
  const std::time_t asked = std::time(nullptr);  // the writer counts from when it hears, which is not before
  const auto answer = client_.ask(std::move(request));
  const std::lock_guard lock(mutex_);
  held_.insert(told.begin(), told.end());
  for (const std::string& text : answer.missing()) {
    const nix::StorePath path = nix::StorePath::parse(text);
    held_.erase(path);
    log::error(
        "{} is leased here, and the shared store does not have it any more: the writer {} had not heard of "
        "this node "
        "for too long",
        path.to_string(), client_.writer());
  }
  set_told(asked);
  forget_what_is_not_leased();
}

// Under mutex_.
void StoreReader::forget_what_is_not_leased() {
  if (arriving_ > 0) return;
  nix::StorePathSet roots;
  for (const store::Lease& lease : store::list_leases(store_))
    roots.insert(lease.paths.begin(), lease.paths.end());
  if (runtime_) roots.insert(*runtime_);
  std::erase_if(roots, [&](const nix::StorePath& path) { return !store_.is_valid(path); });
  const nix::StorePathSet kept = store_.closure(roots);
  std::vector<nix::PathInfo> stale;
  for (const nix::StorePath& path : store_.valid_paths())
    if (!kept.contains(path))
      if (auto info = store_.query(path)) stale.push_back(std::move(*info));
  if (!stale.empty()) {
    std::vector<nix::StorePath> referrers_first;
    for (const nix::PathInfo* info : store::in_reference_order(stale)) referrers_first.push_back(info->path);
    std::ranges::reverse(referrers_first);
    store_.unregister(referrers_first);
  }
  for (const auto& entry : fs::directory_iterator(directory_ / "profiles")) {
    std::error_code error;
    const std::string target = fs::read_symlink(entry.path(), error).string();
    if (error || !kept.contains(nix::StorePath::parse(target))) fs::remove(entry.path(), error);
  }
}

void StoreReader::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  bool was_heard = true;
  for (std::unique_lock lock(mutex); !stop.stop_requested();
       stopped.wait_for(lock, stop, options_.pause, [&] { return stop.stop_requested(); })) {
    bool is_heard = false;
    try {
      tell();
      is_heard = true;
    } catch (const std::exception& exception) {
      if (was_heard) log::warning("telling what this node has leased: {}", message_of(exception));
    }
    if (is_heard && !was_heard)
      log::info("the writer {} knows again what this node has leased", client_.writer());
    was_heard = is_heard;
    options_.heard(is_heard);
  }
}

}  // namespace flox::node
