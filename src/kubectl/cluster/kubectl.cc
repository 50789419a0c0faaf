#include "kubectl/cluster/kubectl.h"

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/process.h"
#include "base/printable.h"

namespace flox::kubectl {
namespace {

// Some 10 kB for each node or pod, of which a cluster has thousands.
constexpr JsonLimits cluster_limits{.bytes = 256 << 20, .values = 16 << 20};
constexpr size_t most_errors = 64 << 10;  // bytes that are kept of what kubectl complains about

// Reads what there is; false at the end.
bool take_some(int fd, std::string& into) {
  std::array<char, 65536> buffer;
  const size_t got = read_some(fd, buffer.data(), buffer.size());
  into.append(buffer.data(), got);
  return got > 0;
}

}  // namespace

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of(" \r\n");
  if (end == std::string::npos) return {};
  const size_t begin = text.find_last_of('\n', end);
  return printable(std::string_view(text).substr(begin + 1, end - begin));
}

Kubectl::Answer Kubectl::run(const std::vector<std::string>& arguments, std::chrono::seconds time) const {
  Command command{.argv = {"kubectl"}};
  if (!options_.kubeconfig.empty()) command.argv.push_back("--kubeconfig=" + options_.kubeconfig);
  if (!options_.context.empty()) command.argv.push_back("--context=" + options_.context);
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());

  Pipe out = make_pipe(), err = make_pipe();
  Process child = [&] {
    try {
      return Process(command, {.out = out.write_end.get(), .err = err.write_end.get()});
    } catch (const Error& error) {
      throw error.with_advice("Install kubectl in a directory of your PATH.");
    }
  }();
  out.write_end.reset();
  err.write_end.reset();
  const auto limit = time.count() == 0 ? options_.time : time;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto left = [&] {
    const auto rest =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (rest.count() <= 0)
      fail(ErrorKind::unavailable, "kubectl {}: no answer within {} s", arguments.front(), limit.count());
    return rest;
  };

  Answer answer;
  while (out.read_end || err.read_end) {
    std::array<pollfd, 2> entries{pollfd{out.read_end.get(), POLLIN, 0},
                                  pollfd{err.read_end.get(), POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), static_cast<int>(left().count())) < 0 && errno != EINTR)
      fail_errno(errno, "reading what kubectl says");
    if (entries[0].revents != 0 && !take_some(out.read_end.get(), answer.out)) out.read_end.reset();
    if (entries[1].revents != 0 && !take_some(err.read_end.get(), answer.err)) err.read_end.reset();
    if (answer.out.size() > cluster_limits.bytes)
      fail(ErrorKind::invalid_input, "kubectl {}: more than {} MiB", arguments.front(),
           cluster_limits.bytes >> 20);
    if (answer.err.size() > 2 * most_errors) answer.err.erase(0, answer.err.size() - most_errors);
  }
  const auto code = child.wait_for(left());
  if (!code) fail(ErrorKind::unavailable, "kubectl {}: no end within {} s", arguments.front(), limit.count());
  answer.exit_code = *code;
  return answer;
}

nlohmann::json Kubectl::get(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), "get");
  arguments.insert(arguments.end(), {"-o", "json"});
  const Answer answer = run(arguments);
  if (answer.exit_code != 0) {
    const ErrorKind kind = answer.err.find("Forbidden") != std::string::npos  ? ErrorKind::untrusted
                           : answer.err.find("NotFound") != std::string::npos ? ErrorKind::not_found
                                                                              : ErrorKind::unavailable;
    const std::string said = last_line(answer.err);
    fail(kind, "kubectl get {}: {}", arguments[1], said.empty() ? "it failed without a word" : said);
  }
  return parse_json(answer.out, "what kubectl says", cluster_limits);
}

}  // namespace flox::kubectl
