// The shim's log: lines on stderr, which is containerd's log fifo. While containerd is away or slow they are
// lost, for a shim must never wait for its log.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace flox::shim {

// Who a container is, for the lines that are about it. What is empty is left out.
struct LogSubject {
  std::string pod_namespace, pod, container;
  std::string trace_id;  // in hexadecimal: the trace of its creation
};

// "time=… level=… msg=… id=…" in the form of containerd's own log, and what is known of the pod and, if
// `subject` is one of known_container, of the container: "namespace=… pod=… container=… trace_id=…".
void write_log(const char* level, std::string_view message, std::string_view subject = {});
// Lines of level debug are written only if `debug`; every line carries the id.
void open_log(std::string id, bool debug);
// Until it is forgotten. The pod is that of the container that came last.
void known_container(const std::string& id, LogSubject subject);
void forget_container(const std::string& id);
// What a line says of a container: "namespace=… pod=…", with a space in front of each; texts from outside
// stand in quotes.
std::string to_fields(const LogSubject& subject);

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  write_log("warning", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  write_log("debug", fmt::format(format, std::forward<Args>(args)...));
}
// About a container, by its id.
template <typename... Args>
void log_warning_of(std::string_view subject, fmt::format_string<Args...> format, Args&&... args) {
  write_log("warning", fmt::format(format, std::forward<Args>(args)...), subject);
}
template <typename... Args>
void log_debug_of(std::string_view subject, fmt::format_string<Args...> format, Args&&... args) {
  write_log("debug", fmt::format(format, std::forward<Args>(args)...), subject);
}

}  // namespace flox::shim
