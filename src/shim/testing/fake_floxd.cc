// A stand-in for floxd in the behaviour tests of the shim: answers Prepare from its command line, and writes
// each call as a line to stdout.
//   fake_floxd SOCKET STORE RUNTIME POD_DIR [NAME=VALUE…]   the variables are added to the process's
// An environment named "fail/…" is refused as not found, "slow/…" is answered after two seconds, "never/…" is
// not answered, and "die/…" ends the program, "once/…" when it is asked for the first time. "strict/…"
// refuses a /nix that can be changed, and "old/…" is answered as by a floxd that does not know of it.
#include <fcntl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "protocol/node.ttrpc.h"
#include "shim/process/waiting.h"
#include "ttrpc/server.h"

int main(int argc, char** argv) {
  using namespace flox;
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 4) return 2;
  boost::asio::io_context context(1);
  ttrpc::Server server(context.get_executor(), ttrpc::listen_at(words[0]));
  auto say = [](const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
  };
  server.handle(
      node::v1::Node::Prepare,
      [=](node::v1::PrepareRequest request,
          ttrpc::Call) -> boost::asio::awaitable<node::v1::PrepareResponse> {
        say(fmt::format("prepare id={} pod={} namespace={} container={} environment={} mode={} uid={} cwd={}",
                        request.container_id(), request.pod_id(), request.pod_namespace(),
                        request.container_name(), request.environment(), request.activate_mode(),
                        request.uid(), request.cwd()));
        if (request.environment().starts_with("fail/"))
          throw Error(ErrorKind::not_found, "realising " + request.environment() + ": no such environment",
                      "Push it first.");
        if (request.nix_mutable() && request.environment().starts_with("strict/"))
          throw Error(ErrorKind::untrusted, "this node does not allow containers to change /nix",
                      "Ask for it.");
        if (request.environment().starts_with("die/")) std::_Exit(1);
        if (request.environment().starts_with("once/") &&
            Fd(::open((words[0] + ".asked").c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600)))
          std::_Exit(1);
        if (request.environment().starts_with("never/")) co_await shim::pause_for(std::chrono::hours(1));
        if (request.environment().starts_with("slow/")) co_await shim::pause_for(shim::Milliseconds(2000));
        node::v1::PrepareResponse response;
        response.set_nix_mutable(request.nix_mutable() && !request.environment().starts_with("old/"));
        response.set_store_directory(words[1]);
        response.set_runtime_path(words[2]);
        response.set_pod_socket_directory(words[3]);
        for (const std::string& entry : request.env()) response.add_env(entry);
        for (size_t i = 4; i < words.size(); ++i) response.add_env(words[i]);
        co_return response;
      });
  server.handle(node::v1::Node::Release,
                [=](node::v1::ReleaseRequest request,
                    ttrpc::Call) -> boost::asio::awaitable<node::v1::ReleaseResponse> {
                  say("release id=" + request.container_id());
                  co_return node::v1::ReleaseResponse();
                });
  context.run();
}
