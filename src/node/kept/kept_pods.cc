#include "node/kept/kept_pods.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <set>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "store/gc/lease.h"

namespace flox::node {
namespace {

using nlohmann::json;

constexpr const char* pod_file = "pod.json";
constexpr std::string_view answer_suffix = ".answer";
constexpr size_t key_length = 32;          // hexadecimal digits
constexpr size_t longest_head = 64 << 10;  // bytes: the line before an answer's text
constexpr size_t longest_question = 16 << 10;

std::string digest_text(std::string_view text) { return to_hex(bytes_of(sha256(text))); }

bool is_key(std::string_view name) {
  return name.size() == key_length &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isxdigit(c) && !std::isupper(c); });
}

std::string answer_file(std::string_view question) {
  return digest_text(question) + std::string(answer_suffix);
}

std::string to_text(const KeptPod& pod) {
  const json document = {{"namespace", pod.pod_namespace},
                         {"name", pod.name},
                         {"uid", pod.uid},
                         {"sandbox", pod.sandbox},
                         {"boot", pod.boot}};
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

KeptPod pod_in(const Directory& directory, const std::string& key) {
  const std::string place = key + "/" + pod_file;
  const json document = parse_json(directory.read_file(place, longest_head), place);
  return {.pod_namespace = string_member(document, "namespace", place),
          .name = string_member(document, "name", place),
          .uid = string_member(document, "uid", place),
          .sandbox = string_member(document, "sandbox", place),
          .boot = string_member(document, "boot", place)};
}

std::chrono::sys_seconds system_now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// A clock that was set back makes no answer younger than new.
std::chrono::seconds age_at(std::chrono::sys_seconds now, int64_t asked_at) {
  return std::max(std::chrono::seconds(0), now - std::chrono::sys_seconds(std::chrono::seconds(asked_at)));
}

struct Head {
  std::string question, digest;
  bool moving = false;
  int64_t asked_at = 0;
};

Head head_in(std::string_view line, const std::string& place) {
  const json document = parse_json(line, place);
  const json& moving = member(document, "moving", place);
  const json& asked_at = member(document, "asked_at", place);
  if (!moving.is_boolean() || !asked_at.is_number_integer())
    fail(ErrorKind::invalid_input, "{}: 'moving' or 'asked_at' is something else", place);
  return {.question = string_member(document, "question", place),
          .digest = string_member(document, "sha256", place),
          .moving = moving.get<bool>(),
          .asked_at = asked_at.get<int64_t>()};
}

// "KEY/DIGEST.answer": all but what the directory's own writers have left half made.
bool is_answer(std::string_view name) { return name.ends_with(answer_suffix); }

}  // namespace

std::string KeptPod::key() const {
  // Lengths, so that no two pods make one text.
  const std::string& last = uid.empty() ? sandbox : uid;
  return digest_text(fmt::format("{} {} {} {}:{}{}{}", uid.empty() ? "sandbox" : "uid", pod_namespace.size(),
                                 name.size(), last.size(), pod_namespace, name, last))
      .substr(0, key_length);
}

KeptPod prefetched_answers(const std::string& reference) {
  // No pod of Kubernetes' has such a uid, nor an empty namespace.
  return {.pod_namespace = {}, .name = reference, .uid = "prefetched", .sandbox = {}};
}

std::string boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id", 64);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::filesystem::path kept_pods_directory(const std::filesystem::path& root) {
  return root / "var/lib/flox/kept/pods";
}

void remove_kept(const std::filesystem::path& root) {
  if (fs::exists(root / "nix/var/nix/gcroots/flox")) {
    const store::LocalStore store(root);
    for (const auto& lease : store::list_leases(store))
      if (lease.holder.starts_with(kept_holder_prefix)) store::release_lease(store, lease.holder);
  }
  remove_tree(root / "var/lib/flox/kept");
}

KeptPods::KeptPods(const std::filesystem::path& directory, const store::LocalStore& store, Options options)
    : directory_([&] {
        fs::create_directories(directory);
        fs::permissions(directory, fs::perms::owner_all);
        return Directory(directory);
      }()),
      store_(store),
      options_(std::move(options)) {
  if (!options_.clock) options_.clock = system_now;
  load();
}

void KeptPods::load() {
  for (const std::string& name : directory_.names()) try {
      if (!is_key(name)) fail(ErrorKind::invalid_input, "'{}' is no pod", name);
      KeptPod pod = pod_in(directory_, name);
      if (pod.key() != name) fail(ErrorKind::invalid_input, "{}/{} is of another pod", name, pod_file);
      auto entry = std::make_shared<Pod>();
      entry->name = std::move(pod);
      entry->written = true;
      entry->used = std::chrono::steady_clock::now();
      pods_.emplace(name, std::move(entry));
      const Directory files = directory_.subdirectory(name);
      for (const std::string& file : files.names())  // a killed floxd leaves what it was writing
        if (file != pod_file && !is_answer(file)) files.remove(file);
    } catch (const Error& error) {
      log::warning("what was kept of a pod is damaged and goes: {}", error.what());
      directory_.remove(name);
    }
  for (const auto& lease : store::list_leases(store_))
    if (lease.holder.starts_with(kept_holder_prefix) &&
        !pods_.contains(lease.holder.substr(kept_holder_prefix.size())))
      store::release_lease(store_, lease.holder);
}

void KeptPods::report(std::string_view what, const std::exception& error) const {
  log::warning("{}: {}", what, message_of(error));
  if (options_.lost) options_.lost();
}

std::shared_ptr<KeptPods::Pod> KeptPods::of(const std::string& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = pods_.find(key);
  return found == pods_.end() ? nullptr : found->second;
}

void KeptPods::expect(KeptPod pod) {
  const std::string key = pod.key();
  pod.boot = boot_;
  for (;;) {
    std::shared_ptr<Pod> entry;
    {
      const std::scoped_lock lock(mutex_);
      std::shared_ptr<Pod>& known = pods_[key];
      if (!known) known = std::make_shared<Pod>();
      entry = known;
    }
    const std::scoped_lock own(entry->mutex);
    if (entry->forgotten) continue;  // and about to be no longer among the pods
    entry->used = std::chrono::steady_clock::now();
    if (entry->name.sandbox == pod.sandbox && entry->name.boot == pod.boot) return;
    entry->name = std::move(pod);
    entry->written = false;
    return;
  }
}

void KeptPods::wrote(std::string file) const {
  const std::scoped_lock lock(writing_);
  unsynced_.push_back(std::move(file));
}

// Under the pod's mutex.
void KeptPods::write_pod(Pod& pod) const {
  if (pod.written) return;
  const std::string key = pod.name.key();
  const Directory files = directory_.make_directory(key, 0700);
  files.write_file(pod_file, to_text(pod.name), 0600);
  pod.written = true;
  wrote(key + "/" + pod_file);
}

std::optional<KeptAnswer> KeptPods::find(const std::string& key, std::string_view question) const {
  const auto pod = of(key);
  if (!pod) return std::nullopt;
  const std::string place = key + "/" + answer_file(question);
  const std::scoped_lock own(pod->mutex);
  try {
    if (pod->forgotten || !directory_.exists(place)) return std::nullopt;
    std::string text = directory_.read_file(place, longest_head + options_.limits.answer_bytes);
    const size_t end = std::min(text.find('\n'), text.size());
    const Head head = head_in(std::string_view(text).substr(0, end), place);
    text.erase(0, end + 1);
    if (head.question != question || head.digest != digest_text(text))
      fail(ErrorKind::invalid_input, "{}: it is not whole", place);
    const Fd file = directory_.open(place, O_RDONLY);
    ::futimens(file.get(), nullptr);  // what was used the longest time ago makes room
    return KeptAnswer{
        .text = std::move(text), .moving = head.moving, .age = age_at(options_.clock(), head.asked_at)};
  } catch (const Error& error) {
    report("reading what a pod was answered before", error);
    return std::nullopt;
  }
}

void KeptPods::make_room(const Directory& answers, size_t bytes) const {
  struct File {
    timespec used;
    std::string name;
    size_t size;
  };
  std::vector<File> files;
  size_t all = bytes;
  for (const std::string& name : answers.names()) {
    const auto status = answers.status(name);
    if (!is_answer(name) || !status) continue;
    files.push_back({status->st_mtim, name, static_cast<size_t>(status->st_size)});
    all += files.back().size;
  }
  std::ranges::sort(files, [](const File& a, const File& b) {
    return std::tie(a.used.tv_sec, a.used.tv_nsec) < std::tie(b.used.tv_sec, b.used.tv_nsec);
  });
  size_t left = files.size() + 1;
  for (const File& file : files) {
    if (left <= options_.limits.answers && all <= options_.limits.pod_bytes) return;
    answers.remove(file.name);
    all -= file.size;
    --left;
  }
}

void KeptPods::keep(const std::string& key, std::string_view question, bool moving, std::string_view answer,
                    std::chrono::seconds age) {
  const auto pod = of(key);
  if (!pod) return;
  const std::scoped_lock own(pod->mutex);
  if (pod->forgotten) return;
  try {
    if (answer.size() > options_.limits.answer_bytes || question.size() > longest_question)
      fail(ErrorKind::invalid_input, "it has {} bytes, more than {}", answer.size(),
           options_.limits.answer_bytes);
    write_pod(*pod);
    const Directory files = directory_.subdirectory(key);
    const json head = {{"question", question},
                       {"moving", moving},
                       {"asked_at", (options_.clock() - age).time_since_epoch().count()},
                       {"sha256", digest_text(answer)}};
    const std::string name = answer_file(question);
    std::string text = head.dump() + "\n";
    text += answer;
    if (!files.exists(name)) make_room(files, text.size());
    files.write_file(name, text, 0600);
    wrote(key + "/" + name);
  } catch (const std::exception& error) {
    report("keeping what a pod was answered", error);
  }
}

void KeptPods::lease(const std::string& key, const nix::StorePath& profile) {
  const auto pod = of(key);
  if (!pod) return;
  const std::scoped_lock own(pod->mutex);
  if (pod->forgotten) return;
  try {
    write_pod(*pod);  // before: no lease is without the pod that it is of
    const std::string holder = pod->name.holder();
    const nix::StorePathSet leased = store::leased_paths(store_, holder);
    if (leased.contains(profile)) return;
    if (leased.size() >= options_.limits.leased)
      fail(ErrorKind::conflict, "the pod has {} environments already", leased.size());
    store::lease_present(store_, holder, {profile});
  } catch (const std::exception& error) {
    report("leasing an environment for the life of a pod", error);
  }
}

void KeptPods::forget(const std::string& key) {
  const auto pod = of(key);
  if (!pod) return;
  {
    const std::scoped_lock own(pod->mutex);
    store::release_lease(store_, pod->name.holder());
    pod->written = false;  // if it is not removed whole, and the pod asks again, it is of that pod once more
    directory_.remove(key);
    pod->forgotten = true;
  }
  const std::scoped_lock lock(mutex_);
  if (const auto found = pods_.find(key); found != pods_.end() && found->second == pod) pods_.erase(found);
}

std::vector<std::pair<std::string, std::shared_ptr<KeptPods::Pod>>> KeptPods::all() const {
  const std::scoped_lock lock(mutex_);
  return {pods_.begin(), pods_.end()};
}

std::vector<KeptPod> KeptPods::pods() const {
  std::vector<KeptPod> names;
  for (const auto& [key, pod] : all()) {
    const std::scoped_lock own(pod->mutex);
    if (!pod->name.sandbox.empty()) names.push_back(pod->name);
  }
  return names;
}

std::vector<std::string> KeptPods::beyond_limit() const {
  std::vector<std::pair<std::chrono::steady_clock::time_point, std::string>> by_use;
  for (const auto& [key, pod] : all()) {
    const std::scoped_lock own(pod->mutex);
    if (!pod->name.sandbox.empty()) by_use.emplace_back(pod->used, key);
  }
  std::ranges::sort(by_use);
  std::vector<std::string> keys;
  for (const auto& [used, key] : by_use)
    if (by_use.size() - keys.size() > options_.limits.pods) keys.push_back(key);
  return keys;
}

void KeptPods::sync() {
  std::vector<std::string> files;
  {
    const std::scoped_lock lock(writing_);
    files.swap(unsynced_);
  }
  std::set<std::string> directories;
  for (const std::string& file : files) try {
      ::fdatasync(directory_.open(file, O_RDONLY).get());
      directories.insert(file.substr(0, file.find('/')));
    } catch (const Error&) {  // gone meanwhile
    }
  for (const std::string& directory : directories) try {
      ::fsync(directory_.open(directory, O_RDONLY | O_DIRECTORY).get());
    } catch (const Error&) {
    }
  if (!directories.empty()) ::fsync(directory_.fd());
}

KeptSummary summary_of_kept(const std::filesystem::path& directory) {
  KeptSummary summary;
  if (!fs::exists(directory)) return summary;
  const Directory pods(directory);
  for (const std::string& key : pods.names()) try {
      const KeptPod pod = pod_in(pods, key);
      if (pod.sandbox.empty()) continue;  // what was prefetched
      const Directory files = pods.subdirectory(key);
      ++summary.pods;
      for (const std::string& name : files.names()) try {
          if (!is_answer(name)) continue;
          std::string line(longest_head, '\0');
          const ssize_t got = ::read(files.open(name, O_RDONLY).get(), line.data(), line.size());
          line.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
          Head head = head_in(std::string_view(line).substr(0, line.find('\n')), name);
          ++summary.answers;
          const auto age = age_at(system_now(), head.asked_at);
          if (!head.moving || (summary.oldest_moving && summary.oldest_moving->age >= age)) continue;
          summary.oldest_moving = {.question = std::move(head.question), .moving = true, .age = age};
          summary.oldest_moving_of = pod;
        } catch (const Error&) {  // gone meanwhile, or damaged: floxd says so when it needs it
        }
    } catch (const Error&) {
    }
  return summary;
}

}  // namespace flox::node
