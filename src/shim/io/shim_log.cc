#include "shim/io/shim_log.h"

#include <unistd.h>

#include <ctime>
#include <map>

namespace flox::shim {
namespace {

std::string shim_id;
bool debug_wanted = false;
std::map<std::string, LogSubject, std::less<>> subjects;  // by container
LogSubject pod_of_all;                                    // without a container

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

std::string to_fields(const LogSubject& subject) {
  constexpr size_t longest = 300;  // bytes
  std::string fields;
  const auto add = [&](const char* name, std::string_view value) {
    if (!value.empty()) fields.append(" ").append(name).append("=").append(quoted(value.substr(0, longest)));
  };
  add("namespace", subject.pod_namespace);
  add("pod", subject.pod);
  add("container", subject.container);
  add("trace_id", subject.trace_id);
  return fields;
}

void known_container(const std::string& id, LogSubject subject) {
  pod_of_all = {.pod_namespace = subject.pod_namespace, .pod = subject.pod};
  subjects.insert_or_assign(id, std::move(subject));
}

void forget_container(const std::string& id) { subjects.erase(id); }

void write_log(const char* level, std::string_view message, std::string_view subject) {
  if (!debug_wanted && std::string_view(level) == "debug") return;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  const auto known = subjects.find(subject);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string line =
      fmt::format("time=\"{}.{:09}Z\" level={} msg={} id={} runtime=flox{}\n", time, now.tv_nsec, level,
                  quoted(message), shim_id, to_fields(known == subjects.end() ? pod_of_all : known->second));
  // stderr is non-blocking and SIGPIPE ignored: what cannot be written now is dropped, as the header says.
  [[maybe_unused]] ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace flox::shim
