#include "shim/io/shim_log.h"

#include <unistd.h>

#include <ctime>

namespace flox::shim {
namespace {

std::string shim_id;
bool debug_wanted = false;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)  // what a terminal would obey
      result += fmt::format("\\x{:02x}", c);
    else
      result += c;
  }
  return result + '"';
}

}  // namespace

void open_log(std::string id, bool debug) {
  shim_id = std::move(id);
  debug_wanted = debug;
}

void write_log(const char* level, std::string_view message) {
  if (!debug_wanted && std::string_view(level) == "debug") return;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string line = fmt::format("time=\"{}.{:09}Z\" level={} msg={} id={} runtime=flox\n", time, now.tv_nsec,
                                 level, quoted(message), shim_id);
  // stderr is non-blocking and SIGPIPE ignored: what cannot be written now is dropped, as the header says.
  [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace flox::shim
