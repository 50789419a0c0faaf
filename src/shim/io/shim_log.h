// The shim's log: lines on stderr, which is containerd's log fifo. While containerd is away or slow they are
// lost, for a shim must never wait for its log.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace flox::shim {

// "time=… level=… msg=… id=…" in the form of containerd's own log.
void write_log(const char* level, std::string_view message);
// Lines of level debug are written only if `debug`; every line carries the id.
void open_log(std::string id, bool debug);

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  write_log("warning", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  write_log("debug", fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace flox::shim
