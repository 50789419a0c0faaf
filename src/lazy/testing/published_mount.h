// A published closure (store/testing/published_closure.h), and the files of a mount that may show it.
#pragma once

#include <mutex>
#include <string>

#include "base/net/server/http_range.h"
#include "base/os/directory.h"
#include "lazy/frames_job.h"
#include "lazy/mount_files.h"
#include "lazy/remote_paths.h"
#include "store/testing/published_closure.h"

namespace flox::lazy {

// Caches are read by threads of this process.
class PublishedMount : public store::HttpRealiseTest {
 protected:
  PublishedMount() {
    static std::once_flag once;
    std::call_once(once, add_frames_job);
    instead_ = [this](const ServerRequest& request) -> std::optional<ServerResponse> {
      if (!request.headers.contains("range")) return std::nullopt;
      on_part_();
      ServerResponse response;
      const std::string file = read_file(temp_.path() / "cache" / request.path.substr(1));
      if (const auto part = choose_range(request, file.size(), "x", response))
        response.body = file.substr(part->first, part->size);
      return response;
    };
  }
  MountPlan plan(const std::string& cache) const {
    return {.directory = "/mnt",
            .caches = {cache},
            .trusted_keys = {key_.public_key().to_string()},
            .isolation = IsolationPolicy::best_effort,
            .whole = false,
            .further = true,
            .paths = {}};
  }
  static RemotePaths remote(const MountPlan& plan) {
    return {plan.caches, nix::TrustedKeys(plan.trusted_keys), plan.isolation};
  }
  std::function<void()> on_part_ = [] {};  // of a NAR that the server is asked for
  std::string server_url() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }
};

}  // namespace flox::lazy
