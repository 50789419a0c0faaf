#include "lazy/frames_job.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

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
constexpr uint64_t memory =
    512ULL << 20;  // bytes: libraries, stacks, and a frame and its file for each thread
constexpr auto time_limit = std::chrono::seconds(60);  // of one question
constexpr size_t buffer_size = 1 << 20;
constexpr size_t room_for_indexes = 4 << 20;  // bytes, in an answer

struct Wanted {
  store::BinaryCache* cache = nullptr;  // null: nothing is
  std::string name;
};

// Asks for small files, all at the same time.
std::vector<store::CacheAnswer> ask_all(const std::vector<Wanted>& wanted) {
  std::vector<store::CacheAnswer> answers(wanted.size());
  std::mutex mutex;
  std::condition_variable changed;
  size_t left = wanted.size();
  const auto done = [&](size_t i, store::CacheAnswer answer) {
    const std::lock_guard lock(mutex);
    answers[i] = std::move(answer);
    if (--left == 0) changed.notify_all();
  };
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].cache == nullptr) {
      done(i, {});
      continue;
    }
    wanted[i].cache->ask(wanted[i].name,
                         [&done, i](store::CacheAnswer answer) { done(i, std::move(answer)); });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return left == 0; });
  return answers;
}

std::string query(const Caches& caches, const json& names) {
  if (names.size() > most_queried) fail(ErrorKind::invalid_input, "over {} paths", most_queried);
  std::vector<nix::StorePath> paths;
  std::vector<Wanted> narinfos, indexes;
  for (const json& name : names) {
    paths.push_back(nix::StorePath::from_base_name(name.get<std::string>()));
    for (const auto& cache : caches) narinfos.push_back({cache.get(), nix::narinfo_name(paths.back())});
  }
  const auto answers = ask_all(narinfos);
  json found = json::array();
  for (size_t path = 0; path < paths.size(); ++path) {
    json offers = json::array();
    std::string why;
    Wanted index;
    for (size_t cache = 0; cache < caches.size(); ++cache) try {
        const store::CacheAnswer& answer = answers[path * caches.size() + cache];
        if (answer.error) throw *answer.error;
        if (!answer.text) continue;
        const auto info = in_context(fmt::format("cache {}", caches[cache]->url()),
                                     [&] { return nix::NarInfo::parse(*answer.text, paths[path]); });
        offers.push_back({{"cache", cache}, {"narinfo", info.to_string()}});
        if (index.cache == nullptr && info.index_hash && info.compression == "zstd")
          index = {caches[cache].get(), nix::index_file_name(*info.index_hash)};
      } catch (const Error& error) {
        if (why.empty()) why = error.what();
      }
    indexes.push_back(std::move(index));
    found.push_back({{"offers", std::move(offers)}, {"error", why}, {"index", 0}});
  }
  std::string files;
  const auto index_answers = ask_all(indexes);
  for (size_t path = 0; path < paths.size(); ++path) {
    const auto& text = index_answers[path].text;
    if (!text || files.size() + text->size() > room_for_indexes) continue;
    found[path]["index"] = text->size();
    files += *text;
  }
  return found.dump(-1, ' ', false, json::error_handler_t::replace) + '\n' + files;
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

std::string answer(const Caches& caches, std::string_view text) {
  const json question = parse_json(text, "the question");
  if (question.contains("query")) return query(caches, question["query"]);
  store::BinaryCache& cache = *caches.at(question.at("cache").get<size_t>());
  if (!question.contains("index")) return part(cache, question);
  const store::CacheAnswer index = cache.ask(string_member(question, "index", "the question"));
  if (index.error) throw *index.error;
  if (!index.text)
    fail(ErrorKind::not_found, "cache {} does not have the index that its narinfo names", cache.url());
  return *index.text;
}

std::string answer_all(std::string_view request, ConfinedChannel& channel) {
  const json asked = parse_json(request, "the request");
  std::vector<ConfinedAnswer> answers;
  for (unsigned i = 0; i < asked.at("threads").get<unsigned>(); ++i) {
    const auto caches = std::make_shared<Caches>();
    for (const json& url : asked.at("caches"))
      caches->push_back(store::BinaryCache::open(url.get<std::string>()));
    answers.emplace_back([caches](std::string_view question) { return answer(*caches, question); });
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
