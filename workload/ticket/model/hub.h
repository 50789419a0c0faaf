// The Hugging Face Hub: what files a model has, and their content. Protocol of huggingface_hub: GET
// api/models/ID/revision/REV ?blobs=true, GET ID/resolve/COMMIT/FILE (which redirects to where large files
// are).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/data/bytes.h"
#include "base/net/http_client.h"

namespace ticket::model {

struct HubFile {
  std::string name;  // within the model: "1_Pooling/config.json"
  uint64_t size = 0;
  std::string hash;  // 64 hex digits: SHA-256 (large files); 40: git's SHA-1 of a blob. Also the name in a
                     // cache's blobs/
};

struct HubModel {
  std::string id;      // as it was asked for
  std::string commit;  // 40 hex digits
  std::vector<HubFile> files;
};

struct HubSettings {
  std::string endpoint = "https://huggingface.co";
  flox::Secret token;    // sent as bearer to the endpoint, never to where it redirects
  bool offline = false;  // nothing may be asked
  int attempts = 5;      // of one request, while none brings anything
  // From HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE (1, true, yes, on).
  static HubSettings from_environment();
};

// One thread at a time. A request that fails for a reason that may pass (no connection, broken transfer, 429,
// 5xx) is sent again after a pause that doubles (Retry-After is heeded); otherwise flox::Error: not_found,
// untrusted (the token is missing or may not), unavailable.
class Hub {
 public:
  explicit Hub(HubSettings settings) : settings_(std::move(settings)) {}

  // `revision` is a branch, tag or commit.
  HubModel model(const std::string& id, const std::string& revision = "main");
  // Gives the content of a file from byte `offset` on to `sink`, which may throw to end it; returns whether
  // the transfer came to its end. False: it broke after it had brought something, so ask again from where it
  // broke. If the server cannot start in the middle, `restart` is called first and the content comes from its
  // beginning.
  bool fetch(const HubModel& model, const HubFile& file, uint64_t offset,
             const std::function<void()>& restart, const flox::ByteSink& sink);

 private:
  flox::HttpRequest request(const std::string& path) const;
  // Sends until there is an answer that is none of those that may pass. Any status but 2xx becomes an error.
  flox::HttpResponse get(const flox::HttpRequest& request, const std::string& what);
  [[noreturn]] void refuse(const flox::HttpResponse& response, const std::string& what) const;

  HubSettings settings_;
  flox::HttpClient client_;
};

}  // namespace ticket::model
