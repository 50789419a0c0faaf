#include "lazy/frames_job.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
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

json query(const Caches& caches, const nix::StorePath& path) {
  json found = json::array();
  for (size_t i = 0; i < caches.size(); ++i) {
    const auto info = caches[i]->query(path);
    if (info) found.push_back({{"cache", i}, {"narinfo", info->to_string()}});
  }
  return found;
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
  if (question.contains("query"))
    return query(caches, nix::StorePath::from_base_name(string_member(question, "query", "the question")))
        .dump();
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
