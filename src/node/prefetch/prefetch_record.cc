#include "node/prefetch/prefetch_record.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "store/gc/lease.h"
#include "store/local/local_store.h"

namespace flox::node {
namespace {

using nlohmann::json;
using State = PrefetchRecord::State;

constexpr size_t key_length = 32;  // hexadecimal digits
constexpr std::string_view suffix = ".json";
constexpr size_t largest_record = 64 << 10;  // bytes
constexpr size_t most_files = 100'000;
constexpr size_t most_askers = 64;

constexpr std::array<std::pair<State, std::string_view>, 5> state_words{{{State::waiting, "waiting"},
                                                                         {State::fetching, "fetching"},
                                                                         {State::present, "present"},
                                                                         {State::used, "used"},
                                                                         {State::failed, "failed"}}};

int64_t number_member(const json& document, const char* name, const std::string& place) {
  const json& value = member(document, name, place);
  if (!value.is_number_integer()) fail(ErrorKind::invalid_input, "{}: '{}' is not a number", place, name);
  return value.get<int64_t>();
}

State state_in(const json& document, const std::string& place) {
  const std::string word = string_member(document, "state", place);
  const auto found = std::ranges::find(state_words, word, [](const auto& entry) { return entry.second; });
  if (found == state_words.end()) fail(ErrorKind::invalid_input, "{}: there is no such state", place);
  return found->first;
}

json to_json(const PrefetchRecord& record) {
  return {{"tenant", record.tenant},
          {"environment", record.environment},
          {"askers", record.askers},
          {"state", to_string(record.state)},
          {"asked_at", record.asked_at},
          {"deadline", record.deadline},
          {"retry_at", record.retry_at},
          {"attempts", record.attempts},
          {"ended_at", record.ended_at},
          {"kept_until", record.kept_until},
          {"profile", record.profile},
          {"closure_size", record.closure_size},
          {"second_lease", record.second_lease},
          {"reason", record.reason},
          {"advice", record.advice}};
}

PrefetchRecord record_in(const Directory& directory, const std::string& file) {
  const json document = parse_json(directory.read_file(file, largest_record), file);
  PrefetchRecord record{.tenant = string_member(document, "tenant", file),
                        .environment = string_member(document, "environment", file),
                        .askers = {},
                        .state = state_in(document, file),
                        .asked_at = number_member(document, "asked_at", file),
                        .deadline = number_member(document, "deadline", file),
                        .retry_at = number_member(document, "retry_at", file),
                        .attempts = static_cast<unsigned>(number_member(document, "attempts", file)),
                        .ended_at = number_member(document, "ended_at", file),
                        .kept_until = number_member(document, "kept_until", file),
                        .profile = string_member(document, "profile", file),
                        .closure_size = static_cast<uint64_t>(number_member(document, "closure_size", file)),
                        .second_lease = member(document, "second_lease", file) == true,
                        .reason = string_member(document, "reason", file),
                        .advice = string_member(document, "advice", file)};
  const json& askers = member(document, "askers", file);
  if (!askers.is_array() || askers.size() > most_askers)
    fail(ErrorKind::invalid_input, "{}: 'askers' is not a short list", file);
  for (const json& asker : askers) {
    if (!asker.is_string()) fail(ErrorKind::invalid_input, "{}: an asker is not a text", file);
    record.askers.insert(asker.get<std::string>());
  }
  if (record.key() + std::string(suffix) != file)
    fail(ErrorKind::invalid_input, "{}: it is of another environment", file);
  return record;
}

}  // namespace

std::string PrefetchRecord::key_of(std::string_view tenant, std::string_view environment) {
  // The length, so that no two pairs make one text.
  return to_hex(bytes_of(sha256(fmt::format("{}:{}{}", tenant.size(), tenant, environment))))
      .substr(0, key_length);
}

std::string PrefetchRecord::holder() const {
  return fmt::format("{}{}-{}", prefetch_holder_prefix, key(), second_lease ? 2 : 1);
}

std::string PrefetchRecord::next_holder() const {
  return fmt::format("{}{}-{}", prefetch_holder_prefix, key(), second_lease ? 1 : 2);
}

std::string_view to_string(State state) noexcept {
  for (const auto& [each, word] : state_words)
    if (each == state) return word;
  return "?";
}

std::filesystem::path prefetch_directory(const std::filesystem::path& root) {
  return root / "var/lib/flox/prefetch";
}

PrefetchRecords::PrefetchRecords(const std::filesystem::path& directory)
    : directory_([&] {
        fs::create_directories(directory.parent_path());
        return Directory(directory.parent_path()).make_directory(directory.filename().string(), 0700);
      }()) {}

std::map<std::string, PrefetchRecord> PrefetchRecords::load() const {
  std::map<std::string, PrefetchRecord> records;
  for (const std::string& name : directory_.names(most_files)) try {
      PrefetchRecord record = record_in(directory_, name);
      std::string key = record.key();
      records.emplace(std::move(key), std::move(record));
    } catch (const Error& error) {
      log::warning("what was asked to be prefetched is damaged and goes: {}", error.what());
      directory_.remove(name);
    }
  return records;
}

void PrefetchRecords::write(const PrefetchRecord& record) const {
  directory_.write_file(record.key() + std::string(suffix),
                        to_json(record).dump(1, ' ', false, json::error_handler_t::replace) + "\n", 0600);
}

void PrefetchRecords::remove(const std::string& key) const { directory_.remove(key + std::string(suffix)); }

std::vector<PrefetchRecord> read_prefetch_records(const std::filesystem::path& directory) {
  std::vector<PrefetchRecord> records;
  if (!fs::exists(directory)) return records;
  const Directory files(directory);
  for (const std::string& name : files.names(most_files)) try {
      if (name.ends_with(suffix)) records.push_back(record_in(files, name));
    } catch (const Error&) {  // gone meanwhile, or damaged: floxd says so when it starts
    }
  return records;
}

void remove_prefetched(const std::filesystem::path& root) {
  if (fs::exists(root / "nix/var/nix/gcroots/flox")) {
    const store::LocalStore store(root);
    for (const auto& lease : store::list_leases(store))
      if (lease.holder.starts_with(prefetch_holder_prefix)) store::release_lease(store, lease.holder);
  }
  remove_tree(prefetch_directory(root));
}

}  // namespace flox::node
