#include "package/imported/unpack.h"

#include <mutex>
#include <nlohmann/json.hpp>

#include "base/confined/confined.h"
#include "base/data/json.h"
#include "base/os/archive_library.h"

namespace flox::package {
namespace {

constexpr std::string_view unpack_job = "unpack";

std::string unpack(std::string_view request, ConfinedChannel& channel) {
  const nlohmann::json json = parse_json(request, "the request");
  libarchive();  // its file is out of reach afterwards
  const Directory out(string_member(json, "directory", "the request"));
  channel.confine();
  unpack_files(string_member(json, "archive", "the request"),
               member(json, "zip", "the request").get<bool>() ? ArchiveFormat::zip : ArchiveFormat::tar,
               member(json, "strip", "the request").get<unsigned>(), out);
  return {};
}

}  // namespace

void add_unpack_job() {
  static std::once_flag known;
  std::call_once(known, [] { add_confined_job(unpack_job, unpack); });
}

void unpack_confined(const std::filesystem::path& archive, ArchiveFormat format, unsigned strip,
                     const std::filesystem::path& directory) {
  add_unpack_job();
  constexpr uint64_t memory = 512 << 20;  // bytes
  const nlohmann::json request{{"archive", archive.string()},
                               {"directory", directory.string()},
                               {"zip", format == ArchiveFormat::zip},
                               {"strip", strip}};
  run_confined({.job = std::string(unpack_job),
                .text = request.dump(),
                .sandbox = {.writable = {directory}, .readable = {archive}, .ports = {0}, .memory = memory},
                .on_call = {},
                .on_note = {},
                .on_end = {}});
}

}  // namespace flox::package
