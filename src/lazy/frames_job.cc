#include "lazy/frames_job.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>

#include "base/data/json.h"
#include "base/error.h"
#include "nix/cache_layout.h"
#include "nix/narinfo.h"
#include "store/cache/binary_cache.h"
#include "store/cache/decompress.h"
#include "store/fetch/fetcher.h"
#include "store/index/nar_index.h"

namespace flox::lazy {
namespace {

using nlohmann::json;
using Caches = std::vector<std::unique_ptr<store::BinaryCache>>;

constexpr std::string_view job_name = "frames";
using Clock = std::chrono::steady_clock;

// Bytes: libraries, stacks, a frame and its file for each thread, and small files.
constexpr uint64_t memory = 512ULL << 20;
constexpr size_t memory_for_files = 192 << 20;         // of it, for small files on their way
constexpr size_t memory_for_narinfos = 32 << 20;       // of that, for one question
constexpr auto time_limit = std::chrono::seconds(60);  // of one question
constexpr auto index_time =
    std::chrono::seconds(10);  // of it, for indexes of which nobody knows that they are signed
constexpr size_t buffer_size = 1 << 20;
// Of an answer, bytes: together less than a worker may send at once.
constexpr size_t room_for_offers = 3 << 20, room_for_indexes = 4 << 20;
constexpr size_t longest_why = 1000;  // bytes of a text

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// Memory that all threads have together: it is taken before something is asked for that may need it. Who
// holds some waits for more only of what needs nothing else to end. Thread-safe.
class Memory : public std::enable_shared_from_this<Memory> {
 public:
  using Taken = std::shared_ptr<const void>;  // gives it back at its end
  explicit Memory(size_t bytes) : all_(bytes), free_(bytes) {}
  // More than there is is all of it. Null: so much was not free before `until`.
  Taken take(size_t bytes, Clock::time_point until) {
    bytes = std::min(bytes, all_);
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, until, [&] { return free_ >= bytes; })) return nullptr;
    free_ -= bytes;
    return {this, [self = shared_from_this(), bytes](const void*) { self->give(bytes); }};
  }

 private:
  void give(size_t bytes) {
    const std::lock_guard lock(mutex_);
    free_ += bytes;
    changed_.notify_all();
  }

  const size_t all_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t free_;
};

// Small files, asked for at the same time. What is on its way keeps it: an answer may come when nobody waits
// for it any more. Thread-safe.
class Questions : public std::enable_shared_from_this<Questions> {
 public:
  // Answers, and how many bytes of text they may have together: of what has more, there is no answer.
  Questions(size_t number, size_t most) : answers_(number), room_(most) {}

  void ask(size_t number, store::BinaryCache& cache, const std::string& name, Memory::Taken taken) {
    {
      const std::lock_guard lock(mutex_);
      ++open_;
    }
    cache.ask(name, [self = shared_from_this(), number,
                     taken = std::move(taken)](store::CacheAnswer answer) mutable {
      self->take(number, std::move(answer));
      taken.reset();
    });
  }
  // Whether one had more.
  bool is_full() const {
    const std::lock_guard lock(mutex_);
    return is_full_;
  }
  // Waits for all of them. What comes later than `until` is no answer.
  const std::vector<store::CacheAnswer>& wait(Clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return open_ == 0; });
    is_over_ = true;
    return answers_;  // nobody changes them any more
  }

 private:
  void take(size_t number, store::CacheAnswer answer) {
    const std::lock_guard lock(mutex_);
    if (is_over_) return;
    const size_t size = answer.text ? answer.text->size() : 0;
    if (size > room_) {
      is_full_ = true;
    } else {
      room_ -= size;
      answers_[number] = std::move(answer);
    }
    if (--open_ == 0) changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<store::CacheAnswer> answers_;
  size_t room_;
  size_t open_ = 0;
  bool is_full_ = false, is_over_ = false;
};

// An index that an offer names; of none, the cache is null.
struct NamedIndex {
  store::BinaryCache* cache = nullptr;
  std::string name;
};

// What the caches have said of a path. What has no room is passed over.
json entry_of(const nix::StorePath& path, const Caches& caches, std::span<const store::CacheAnswer> answers,
              NamedIndex& index) {
  json offers = json::array();
  std::string why;
  size_t size = 0;
  for (size_t cache = 0; cache < caches.size(); ++cache) try {
      const store::CacheAnswer& answer = answers[cache];
      if (answer.error) throw *answer.error;
      if (!answer.text) continue;
      in_context(fmt::format("cache {}", caches[cache]->url()), [&] {
        const auto info = nix::NarInfo::parse(*answer.text, path);
        json offer = {{"cache", cache}, {"narinfo", info.to_string()}};
        size += text_of(offer).size();
        if (size > room_for_offers)
          fail(ErrorKind::unavailable, "its narinfo is too large beside the others");
        offers.push_back(std::move(offer));
        if (index.cache == nullptr && info.index_hash && info.compression == "zstd")
          index = {caches[cache].get(), nix::index_file_name(*info.index_hash)};
      });
    } catch (const Error& error) {
      if (why.empty()) why = std::string(error.what()).substr(0, longest_why);
    }
  return {{"offers", std::move(offers)}, {"error", why}, {"index", 0}};
}

std::string query(const Caches& caches, Memory& free, const json& names) {
  if (names.size() > most_queried) fail(ErrorKind::invalid_input, "over {} paths", most_queried);
  const auto until = Clock::now() + time_limit;
  const size_t per_path = std::max<size_t>(1, caches.size()) * nix::max_narinfo_size;
  const size_t count = std::min(names.size(), std::max<size_t>(1, memory_for_narinfos / per_path));
  std::vector<nix::StorePath> paths;
  for (size_t i = 0; i < count; ++i)
    paths.push_back(nix::StorePath::from_base_name(names[i].get<std::string>()));
  json found = json::array();
  std::vector<NamedIndex> indexes;
  {
    const auto taken = free.take(count * per_path, until);
    if (taken == nullptr) fail(ErrorKind::unavailable, "other questions took too long");
    const auto narinfos = std::make_shared<Questions>(count * caches.size(), count * per_path);
    for (size_t path = 0; path < count; ++path)
      for (size_t cache = 0; cache < caches.size(); ++cache)
        narinfos->ask(path * caches.size() + cache, *caches[cache], nix::narinfo_name(paths[path]), taken);
    const std::span answers = narinfos->wait(until);
    size_t size = 0;
    for (size_t path = 0; path < count; ++path) {
      NamedIndex index;
      json entry = entry_of(paths[path], caches, answers.subspan(path * caches.size(), caches.size()), index);
      size += text_of(entry).size();
      if (size > room_for_offers && !found.empty()) break;
      found.push_back(std::move(entry));
      indexes.push_back(std::move(index));
    }
  }
  const auto index_until = std::min(until, Clock::now() + index_time);
  const auto questions = std::make_shared<Questions>(indexes.size(), room_for_indexes);
  for (size_t path = 0; path < indexes.size() && !questions->is_full(); ++path) {
    if (indexes[path].cache == nullptr) continue;
    auto taken = free.take(nix::max_index_size, index_until);
    if (taken == nullptr) break;
    questions->ask(path, *indexes[path].cache, indexes[path].name, std::move(taken));
  }
  const auto& files = questions->wait(index_until);
  std::string joined;
  for (size_t path = 0; path < files.size(); ++path) {
    if (!files[path].text) continue;
    found[path]["index"] = files[path].text->size();
    joined += *files[path].text;
  }
  return text_of(found) + '\n' + joined;
}

std::string index_file(store::BinaryCache& cache, Memory& free, const std::string& name) {
  const auto taken = free.take(nix::max_index_size, Clock::now() + time_limit);
  if (taken == nullptr) fail(ErrorKind::unavailable, "other questions took too long");
  const store::CacheAnswer index = cache.ask(name);
  if (index.error) throw *index.error;
  if (!index.text)
    fail(ErrorKind::not_found, "cache {} does not have the index that its narinfo names", cache.url());
  return *index.text;
}

std::string part(store::BinaryCache& cache, const json& question) {
  const nix::NarInfo info{
      .info = {.path = nix::StorePath::from_base_name(string_member(question, "path", "the question"))},
      .url = string_member(question, "url", "the question")};
  const uint64_t nar_size = question.at("nar_size").get<uint64_t>();
  const store::BinaryCache::Part wanted{question.at("first").get<uint64_t>(),
                                        question.at("size").get<uint64_t>()};
  std::string nar;
  nar.reserve(nar_size);
  const auto decompressor = store::make_decompressor("zstd", [&](std::string_view piece) {
    if (nar.size() + piece.size() > nar_size)
      fail(ErrorKind::invalid_input, "a frame is larger than its index says");
    nar += piece;
  });
  const auto file = cache.open_part(info, wanted, std::min<uint64_t>(wanted.size, buffer_size));
  std::string piece;
  while (file->read(piece)) decompressor->feed(piece);
  decompressor->finish();
  return nar;
}

std::string answer(const Caches& caches, Memory& free, std::string_view text) {
  const json question = parse_json(text, "the question");
  if (question.contains("query")) return query(caches, free, question["query"]);
  store::BinaryCache& cache = *caches.at(question.at("cache").get<size_t>());
  return question.contains("index")
             ? index_file(cache, free, string_member(question, "index", "the question"))
             : part(cache, question);
}

std::string answer_all(std::string_view request, ConfinedChannel& channel) {
  const json asked = parse_json(request, "the request");
  const auto free = std::make_shared<Memory>(memory_for_files);
  std::vector<ConfinedAnswer> answers;
  for (unsigned i = 0; i < asked.at("threads").get<unsigned>(); ++i) {
    const auto caches = std::make_shared<Caches>();
    for (const json& url : asked.at("caches"))
      caches->push_back(store::BinaryCache::open(url.get<std::string>()));
    answers.emplace_back(
        [caches, free](std::string_view question) { return answer(*caches, *free, question); });
  }
  channel.confine();  // the caches have read their passwords
  answer_questions(channel, answers);
  return {};
}

}  // namespace

void add_frames_job() { add_confined_job(job_name, answer_all); }

ConfinedService::Options frames_service(const std::vector<std::string>& caches, IsolationPolicy policy,
                                        unsigned threads) {
  return {.request = {.job = std::string(job_name),
                      .text = json{{"caches", caches}, {"threads", threads}}.dump(),
                      .sandbox = {.writable = {},
                                  .readable = store::readable_for(caches),
                                  .ports = store::ports_of(caches),
                                  .memory = memory,
                                  .file_size = 0},
                      .policy = policy,
                      .deadline = time_limit,
                      .on_call = {},
                      .on_note = {},
                      .on_end = {}},
          .start = [variables = store::variables_of_caches(
                        caches)] { return std::make_unique<ConfinedWorker>(variables); },
          .threads = threads};
}

}  // namespace flox::lazy
