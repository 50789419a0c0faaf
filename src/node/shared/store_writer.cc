#include "node/shared/store_writer.h"

#include <sys/stat.h>
#include <utime.h>

#include <algorithm>
#include <atomic>

#include "base/data/bytes.h"
#include "base/data/random.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "node/installer/state_names.h"
#include "node/shared/messages.h"
#include "store/gc/lease.h"
#include "store/local/named_root.h"
#include "store/local/store_guard.h"
#include "store/peers/peer_proof.h"

namespace flox::node {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* identity_name = "flox-shared-store";
constexpr const char* identity_root = "flox-shared-store";
constexpr size_t identity_size = 16;  // bytes of randomness
constexpr size_t most_identity_text = 256;
constexpr size_t most_readers = 1000;
constexpr size_t most_jobs = 256;
constexpr size_t most_jobs_of_one = most_jobs / 2;  // so that no reader has them all
// What a reader was given is not let go because it was on its way when the reader told of its leases, nor
// what it has told of because somebody sends again what it told earlier: no proof is good for longer than
// this.
constexpr auto grace = 2 * store::peer_proof_life;
// A reader that is there asks every second at least (store_reader.cc).
constexpr auto silence = std::chrono::seconds(30);
// A job that ends soon is answered by the question that has begun it.
constexpr auto first_wait = std::chrono::milliseconds(250);
// While a reader of a name is heard, another one cannot have it.
constexpr auto name_time = std::chrono::minutes(2);
constexpr auto write_time = std::chrono::seconds(60);  // between two notes of when a reader was heard

std::string holder_of(std::string_view node, std::string_view holder) {
  return fmt::format("{}{}_{}", reader_holder_prefix, node, holder);
}

shared::v1::Closure closure_of(const store::LocalStore& store, const nix::StorePath& root) {
  std::vector<nix::PathInfo> paths;
  for (const nix::StorePath& path : store.closure({root})) {
    auto info = store.query(path);
    if (!info) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
    paths.push_back(std::move(*info));
  }
  return closure_message(root, paths);
}

// The text of the file by which the store is known, which is made if there is none.
std::pair<nix::StorePath, std::string> identity_of(store::LocalStore& store) {
  std::error_code missing;
  const fs::path link = store.state_directory() / "gcroots" / identity_root;
  if (const fs::path target = fs::read_symlink(link, missing); !missing) {
    const nix::StorePath path = nix::StorePath::parse(target.string());
    if (store.is_valid(path)) return {path, read_file(store.real_path(path), most_identity_text)};
  }
  const TempDir directory("flox-identity-");
  const std::string text = to_hex(random_bytes(identity_size)) + "\n";
  write_file(directory.path() / "identity", text);
  const nix::StorePath path = store.add_tree(directory.path() / "identity", identity_name, {}).path;
  store::set_named_root(store, identity_root, path);
  return {path, text};
}

}  // namespace

struct StoreWriter::Reader {
  using Lease = std::map<nix::StorePath, Clock::time_point>;  // when it was made, or last told of
  std::string name, instance;
  Clock::time_point last_heard;
  Clock::time_point written;
  std::map<std::string, Lease> leases;  // by the reader's holder
  size_t leased = 0;                    // paths in them
};

struct StoreWriter::Job {
  ReaderWork work;
  std::string holder;  // the reader's
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<Clock::time_point> asked;
  store::RealiseProgress progress;        // under mutex, as the next
  std::optional<nix::StorePath> profile;  // it is done
  std::optional<Error> failure;           // it has failed
  bool is_over() const { return profile || failure; }
};

StoreWriter::StoreWriter(store::LocalStore& store, Options options)
    : store_(store), options_(std::move(options)), directory_(options_.state / state::readers) {
  fs::create_directories(directory_);
  std::tie(identity_, identity_text_) = [&] {
    auto [path, text] = identity_of(store_);
    return std::pair<std::optional<nix::StorePath>, std::string>(std::move(path), std::move(text));
  }();
  load();
}

StoreWriter::~StoreWriter() = default;

// From now on each reader has the whole lease time to be heard of: this floxd may have been away for longer.
void StoreWriter::load() {
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename();
    if (!is_node_name(name)) continue;
    auto reader = std::make_shared<Reader>();
    reader->name = name;
    reader->instance = read_file(entry.path(), most_identity_text);
    reader->last_heard = Clock::now();
    readers_[name] = reader;
  }
  for (const store::Lease& lease : store::list_leases(store_)) {
    if (!lease.holder.starts_with(reader_holder_prefix)) continue;
    const std::string rest = lease.holder.substr(reader_holder_prefix.size());
    const size_t end = rest.find('_');
    const auto reader = readers_.find(rest.substr(0, end));
    if (end == std::string::npos || reader == readers_.end())
      store::release_lease(store_, lease.holder);  // of a reader whose end was not finished
    else
      for (const nix::StorePath& path : lease.paths)
        reader->second->leased +=
            reader->second->leases[rest.substr(end + 1)].emplace(path, Clock::now()).second;
  }
  options_.readers(readers_.size());
}

// Under mutex_.
std::shared_ptr<StoreWriter::Reader> StoreWriter::heard(const shared::v1::Reader& from) {
  if (!is_node_name(from.node()) || from.instance().size() != identity_size)
    fail(ErrorKind::invalid_input, "'{}' is no reader's name", from.node().substr(0, 100));
  const auto now = Clock::now();
  std::shared_ptr<Reader>& reader = readers_[from.node()];
  if (!reader) {
    if (readers_.size() > most_readers) {
      readers_.erase(from.node());
      fail(ErrorKind::unavailable, "the writer has {} readers already", most_readers);
    }
    reader = std::make_shared<Reader>();
    reader->name = from.node();
    log::info("the node {} reads the store now", from.node());
    options_.readers(readers_.size());
  } else if (reader->instance != from.instance()) {
    if (now - reader->last_heard < name_time)
      throw Error(ErrorKind::conflict,
                  fmt::format("another node that is called {} reads the store as well", from.node()),
                  "Give each node a name of its own: its host name, or the setting store_reader_name.");
    reader->written = {};
  }
  reader->instance = from.instance();
  reader->last_heard = now;
  const fs::path file = directory_ / from.node();
  if (reader->written == Clock::time_point{}) {
    write_file_synced(file, reader->instance, 0600);
    reader->written = now;
  } else if (now - reader->written > write_time) {
    ::utime(file.c_str(), nullptr);
    reader->written = now;
  }
  return reader;
}

shared::v1::HelloAnswer StoreWriter::hello(const shared::v1::HelloRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    heard(request.reader());
  }
  if (request.system() != options_.system)
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("the writer is {}, and this node is {}", options_.system, request.system().substr(0, 60)),
        "Let nodes of one architecture share a store.");
  shared::v1::HelloAnswer answer;
  answer.set_identity_path(identity_->to_string());
  answer.set_identity(identity_text_);
  *answer.mutable_runtime() = closure_of(store_, options_.runtime);
  answer.set_lease_seconds(static_cast<uint64_t>(options_.lease_time.count()));
  return answer;
}

void StoreWriter::fail_full(const std::string& node) const {
  fail(ErrorKind::unavailable, "the node {} has {} paths leased of this store already", node,
       options_.most_leased);
}

void StoreWriter::note_lease(const std::string& node, const std::string& holder, const nix::StorePath& path) {
  const std::lock_guard lock(mutex_);
  const auto reader = readers_.find(node);
  if (reader != readers_.end()) {
    Reader& its = *reader->second;
    const auto known = its.leases.find(holder);
    const bool is_new = known == its.leases.end() || !known->second.contains(path);
    if (is_new && its.leased >= options_.most_leased) {  // of several questions at once
      store::release_paths(store_, holder_of(node, holder), {path});
      fail_full(node);
    }
    its.leases[holder][path] = Clock::now();
    its.leased += is_new ? 1 : 0;
    return;
  }
  store::release_lease(store_, holder_of(node, holder));
  fail(ErrorKind::unavailable, "the node {} was not heard of for too long meanwhile", node);
}

void StoreWriter::run(Job& job) {
  std::optional<nix::StorePath> profile;
  std::optional<Error> failure;
  try {
    const nix::StorePath made = options_.realise(job.work);
    note_lease(job.work.node, job.holder, made);  // whether or not somebody still comes for it
    profile = made;
  } catch (const std::exception& exception) {
    failure = to_error(exception);
  }
  const std::lock_guard lock(job.mutex);
  job.profile = std::move(profile);
  job.failure = std::move(failure);
  job.changed.notify_all();
}

// Under mutex_, of a reader that is known.
std::shared_ptr<StoreWriter::Job> StoreWriter::begin(const shared::v1::RealiseRequest& request) {
  const std::string& node = request.reader().node();
  const std::string holder = holder_of(node, request.holder());
  store::check_holder(holder);
  const auto own =
      std::ranges::count_if(jobs_, [&](const auto& job) { return job.second->work.node == node; });
  if (jobs_.size() >= most_jobs || own >= static_cast<std::ptrdiff_t>(most_jobs_of_one))
    fail(ErrorKind::unavailable, "the writer realises for {} containers already, {} of them of {}",
         jobs_.size(), own, node);
  if (readers_.at(node)->leased >= options_.most_leased) fail_full(node);
  auto job = std::make_shared<Job>();
  job->holder = request.holder();
  job->asked = Clock::now();
  job->work = {.lock = request.lock(),
               .system = request.system(),
               .mode = request.mode(),
               .lane = request.lane(),
               .limits = {.disk = request.most_bytes(),
                          .time = std::chrono::milliseconds(
                              std::min<uint64_t>(request.most_milliseconds(), 86'400'000))},
               .node = node,
               .holder = holder,
               .is_over = [of = job.get()] { return Clock::now() - of->asked.load() > silence; },
               .on_progress =
                   [of = job.get()](const store::RealiseProgress& progress) {
                     const std::lock_guard guard(of->mutex);
                     of->progress = progress;
                   }};
  options_.begin(job->work, [this, job] { run(*job); });
  return job;
}

shared::v1::RealiseAnswer StoreWriter::realise(const shared::v1::RealiseRequest& request) {
  std::shared_ptr<Job> job;
  const Sha256Digest key = [&] {
    shared::v1::RealiseRequest work = request;
    work.mutable_reader()->clear_nonce();
    return sha256(work.SerializeAsString());
  }();
  {
    const std::lock_guard lock(mutex_);
    heard(request.reader());
    if (const auto known = jobs_.find(key); known != jobs_.end())
      job = known->second;
    else
      jobs_[key] = job = begin(request);
    job->asked = Clock::now();
  }
  shared::v1::RealiseAnswer answer;
  {
    std::unique_lock lock(job->mutex);
    job->changed.wait_for(lock, first_wait, [&] { return job->is_over(); });
    if (!job->is_over()) {
      answer.set_paths_total(job->progress.paths_total);
      answer.set_paths_done(job->progress.paths_done);
      answer.set_bytes_total(job->progress.bytes_total);
      answer.set_bytes_fetched(job->progress.bytes_fetched);
      return answer;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = jobs_.find(key); known != jobs_.end() && known->second == job) jobs_.erase(known);
  }
  if (job->failure) throw Error(*job->failure);
  answer.set_done(true);
  *answer.mutable_profile() = closure_of(store_, *job->profile);
  return answer;
}

// Under mutex_. What is being realised may be leased already, and is noted only then.
void StoreWriter::release_what_is_not_told(Reader& reader) {
  const auto now = Clock::now();
  for (auto& [holder, lease] : reader.leases) {
    nix::StorePathSet stale;
    for (const auto& [path, time] : lease)
      if (now - time >= grace) stale.insert(path);
    const auto is_its = [&, of = std::string_view(holder)](const auto& job) {
      return job.second->work.node == reader.name && job.second->holder == of;
    };
    if (stale.empty() || std::ranges::any_of(jobs_, is_its)) continue;
    store::release_paths(store_, holder_of(reader.name, holder), stale);
    for (const nix::StorePath& path : stale) reader.leased -= lease.erase(path);
  }
  std::erase_if(reader.leases, [](const auto& entry) { return entry.second.empty(); });
}

shared::v1::LeasesAnswer StoreWriter::leases(const shared::v1::LeasesRequest& request) {
  if (request.leases().size() > static_cast<int>(options_.most_leased))
    fail(ErrorKind::invalid_input, "more than {} leases", options_.most_leased);
  const std::string& node = request.reader().node();
  std::map<std::string, nix::StorePathSet> unknown;
  {
    const std::lock_guard lock(mutex_);
    const auto reader = heard(request.reader());
    const auto now = Clock::now();
    for (const shared::v1::Lease& lease : request.leases()) {
      store::check_holder(holder_of(node, lease.holder()));
      const auto has = reader->leases.find(lease.holder());
      for (const std::string& text : lease.paths()) {
        const nix::StorePath path = nix::StorePath::parse(text);
        if (has != reader->leases.end() && has->second.contains(path))
          has->second[path] = now;
        else
          unknown[lease.holder()].insert(path);
      }
    }
    release_what_is_not_told(*reader);
    size_t wanted = reader->leased;
    for (const auto& [holder, paths] : unknown) wanted += paths.size();
    if (wanted > options_.most_leased) fail_full(node);
  }
  // Not under mutex_: a collector may have to be waited for, and other readers would wait, too.
  shared::v1::LeasesAnswer answer;
  for (const auto& [holder, paths] : unknown)
    for (const nix::StorePath& path : paths) try {
        store::lease_present(store_, holder_of(node, holder), {path});
        note_lease(node, holder, path);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found) throw;
        answer.add_missing(path.to_string());
      }
  return answer;
}

template <typename Request, typename Answer>
std::string StoreWriter::answer_to(const std::string& body, const std::string& node,
                                   Answer (StoreWriter::*method)(const Request&)) {
  Answer answer;
  try {
    Request request;
    if (!request.ParseFromString(body)) fail(ErrorKind::invalid_input, "the request cannot be read");
    if (!node.empty() && request.reader().node() != node)
      fail(ErrorKind::untrusted, "the node {} speaks as another one", node);
    answer = (this->*method)(request);
  } catch (const std::exception& exception) {
    answer = Answer();
    *answer.mutable_failure() = failure_message(to_error(exception));
  }
  return answer.SerializeAsString();
}

ServerResponse StoreWriter::answer(const ServerRequest& request, const store::PeerProver& prover) {
  ServerResponse response{.content_type = "application/protobuf"};
  if (request.path == shared_hello)
    response.body = answer_to(request.body, prover.node, &StoreWriter::hello);
  else if (request.path == shared_realise)
    response.body = answer_to(request.body, prover.node, &StoreWriter::realise);
  else if (request.path == shared_leases)
    response.body = answer_to(request.body, prover.node, &StoreWriter::leases);
  else
    fail(ErrorKind::not_found, "readers are not given '{}'", request.path);
  const auto proof = request.headers.find("authorization");
  response.headers[shared_proof_field] = store::make_answer_proof(
      prover.key, proof == request.headers.end() ? "" : proof->second, response.body);
  return response;
}

void StoreWriter::sweep() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  std::erase_if(jobs_, [&](const auto& entry) {
    const std::lock_guard guard(entry.second->mutex);
    return entry.second->is_over() && now - entry.second->asked.load() > silence;
  });
  const size_t before = readers_.size();
  std::erase_if(readers_, [&](const auto& entry) {
    const Reader& reader = *entry.second;
    if (now - reader.last_heard <= options_.lease_time) return false;
    for (const auto& [holder, lease] : reader.leases)
      store::release_lease(store_, holder_of(reader.name, holder));
    std::error_code error;
    fs::remove(directory_ / reader.name, error);
    log::warning("the node {} was not heard of for {} s: its {} leases have ended", reader.name,
                 options_.lease_time.count(), reader.leases.size());
    return true;
  });
  if (readers_.size() != before) options_.readers(readers_.size());
}

}  // namespace flox::node
