#include "ticket/local/local_backend.h"

#include "base/error.h"
#include "ticket/local/local_objects.h"
#include "ticket/local/local_queue.h"
#include "ticket/local/local_table.h"

namespace ticket::local {

LocalBackend::LocalBackend(const std::filesystem::path& directory)
    : directory_(std::filesystem::absolute(directory)) {
  flox::in_context("opening the local backend " + directory_.string(), [&] {
    std::error_code error;
    std::filesystem::create_directories(directory_ / "buckets", error);
    if (error) flox::fail_errno(error.value(), "making the directory");
    database_ = std::make_shared<Database>(directory_ / "tickets.sqlite");
  });
}

std::unique_ptr<Queue> LocalBackend::queue(const std::string& name, CancelCheck cancelled) {
  return std::make_unique<LocalQueue>(database_, name, std::move(cancelled));
}

std::unique_ptr<ObjectStore> LocalBackend::store(CancelCheck) {
  return std::make_unique<LocalObjects>(directory_ / "buckets");
}

std::unique_ptr<Table> LocalBackend::table(const std::string& name, CancelCheck) {
  return std::make_unique<LocalTable>(database_, name);
}

void LocalBackend::create(const Resources& wanted, CancelCheck) {
  create_bucket(directory_ / "buckets", wanted.raw_bucket);
  create_bucket(directory_ / "buckets", wanted.enriched_bucket);
  create_queue(*database_, wanted);
  create_table(*database_, wanted.table);
}

}  // namespace ticket::local
