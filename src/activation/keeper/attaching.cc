#include "activation/keeper/attaching.h"

#include <charconv>

#include "activation/keeper/client.h"
#include "base/error.h"

namespace flox::activation {
namespace {

constexpr std::string_view attach_job = "--flox-attach";
constexpr std::string_view detach_job = "--flox-detach";

std::string telling(std::string_view job, Shell shell, const fs::path& directory, const StartKey& key) {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  const char* self = shell == Shell::fish ? "$fish_pid" : "$$";
  std::string text;
  for (const std::string& word :
       {program.string(), std::string(job), directory.string(), key.profile, key.mode})
    text += quoted(shell, word) + " ";
  if (shell == Shell::fish) return text + self + "; or true;\n";
  if (shell == Shell::tcsh) return text + self + ";\n";
  return text + self + " || :;\n";
}

}  // namespace

std::string attaching(Shell shell, const fs::path& directory, const StartKey& key) {
  return telling(attach_job, shell, directory, key);
}

std::string detaching(Shell shell, const fs::path& directory, const StartKey& key) {
  return telling(detach_job, shell, directory, key);
}

std::optional<int> run_attach_job(int argc, char** argv) {
  if (argc != 6 || (argv[1] != attach_job && argv[1] != detach_job)) return std::nullopt;
  const std::string_view number(argv[5]);
  Request request{.kind = argv[1] == attach_job ? Request::Kind::attach : Request::Kind::detach,
                  .key = {.profile = argv[3], .mode = argv[4]}};
  if (std::from_chars(number.data(), number.data() + number.size(), request.pid).ec != std::errc()) return 1;
  try {
    if (auto keeper = KeeperClient::find(argv[2])) keeper->ask(request);
  } catch (const Error& error) {
    print_error(error);
    return 1;
  }
  return 0;
}

}  // namespace flox::activation
