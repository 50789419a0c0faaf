#include "store/fetch/ask_caches.h"

#include <map>
#include <mutex>

#include "base/error.h"
#include "store/fetch/fetch_messages.h"
#include "store/fetch/fetcher.h"
#include "store/local/parallel.h"

namespace flox::store {
namespace {

class Questioner {
 public:
  Questioner(const std::vector<nix::PathInfo>& infos, const std::function<void(const nix::PathInfo&)>& shown)
      : shown_(shown) {
    for (const nix::PathInfo& info : infos) open_.emplace(info.path, &info);
  }

  std::string on_call(std::string_view text) {
    v1::Call call;
    if (!call.ParseFromArray(text.data(), static_cast<int>(text.size())) || !call.has_offers())
      fail(ErrorKind::invalid_input, "the fetcher was only to ask");
    v1::OffersAnswer answer;
    for (const v1::Call::Offer& one : call.offers().offers()) {
      v1::OfferAnswer& result = *answer.add_answers();
      try {
        take(from_message(one.narinfo()).info);
      } catch (const Error& error) {
        *result.mutable_refused() = to_message(error);
      }
    }
    return answer.SerializeAsString();
  }

 private:
  void take(const nix::PathInfo& offered) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(offered.path);
    if (found == open_.end()) fail(ErrorKind::invalid_input, "nobody asks for {}", offered.path.to_string());
    if (offered.nar_hash != found->second->nar_hash)
      fail(ErrorKind::untrusted, "its contents are not those of the store");
    shown_(*found->second);
    open_.erase(found);
  }

  const std::function<void(const nix::PathInfo&)>& shown_;
  std::mutex mutex_;
  std::map<StorePath, const nix::PathInfo*> open_;
};

}  // namespace

void ask_caches(const std::vector<nix::PathInfo>& infos, const RealiseOptions& options,
                const std::function<void(const nix::PathInfo&)>& shown) {
  if (infos.empty() || options.caches.empty()) return;
  v1::FetchRequest request;
  for (const std::string& url : options.caches) request.add_caches()->set_url(url);
  for (const nix::PathInfo& info : infos) request.add_wanted()->set_path(info.path.base_name());
  request.set_workers(worker_count(options.workers));
  request.set_memory(options.memory);
  request.set_only_ask(true);
  Questioner questioner(infos, shown);
  run_fetcher(request, options, {.directories = {}, .on_call = [&](std::string_view text) {
                                   return questioner.on_call(text);
                                 }});
}

}  // namespace flox::store
