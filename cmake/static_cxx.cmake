# The C++ libraries of a program that starts often, linked into it: libstdc++, libfmt, libspdlog, libprotobuf-lite. As shared ones
# they have the loader look 4,000 symbols up by their long names at every start: "flox activate -- true" takes 5.1 ms instead
# of 6.3, "flox --version" 3.1 instead of 4.3 (medians of 41, in turns). A pod's runtime closure gets smaller, too.
#
# Debian 12 has no static libfmt and libspdlog, but all of their sources in the headers: flox_static_cxx has the instantiations
# that their own sources have, at these versions. With others, and where sanitizers replace parts of libstdc++, the shared
# libraries are linked as everywhere. FLOX_FMT_SOURCE is the source of libfmt alone, for the shim.
add_library(flox_static_cxx INTERFACE)
find_library(protobuf_lite_static libprotobuf-lite.a)
if(fmt_VERSION VERSION_EQUAL 9.1.0 AND spdlog_VERSION VERSION_EQUAL 1.10.0 AND protobuf_lite_static AND NOT FLOX_SANITIZE
   AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set(sources ${CMAKE_BINARY_DIR}/static_cxx)
  file(CONFIGURE OUTPUT ${sources}/fmt.cc CONTENT [[
#include <fmt/format-inl.h>
FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API locale_ref::locale_ref(const std::locale& loc);
template FMT_API auto locale_ref::get<std::locale>() const -> std::locale;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char*, const char*);
template FMT_API void vformat_to(buffer<char>&, string_view, basic_format_args<FMT_BUFFER_CONTEXT(char)>, locale_ref);
}  // namespace detail
FMT_END_NAMESPACE
]] @ONLY)
  file(CONFIGURE OUTPUT ${sources}/spdlog.cc CONTENT [[
#include <mutex>
#include <spdlog/spdlog-inl.h>
#include <spdlog/common-inl.h>
#include <spdlog/details/backtracer-inl.h>
#include <spdlog/details/log_msg-inl.h>
#include <spdlog/details/log_msg_buffer-inl.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/os-inl.h>
#include <spdlog/details/periodic_worker-inl.h>
#include <spdlog/details/registry-inl.h>
#include <spdlog/logger-inl.h>
#include <spdlog/pattern_formatter-inl.h>
#include <spdlog/sinks/ansicolor_sink-inl.h>
#include <spdlog/sinks/base_sink-inl.h>
#include <spdlog/sinks/sink-inl.h>
#include <spdlog/sinks/stdout_color_sinks-inl.h>
#include <spdlog/sinks/stdout_sinks-inl.h>
template SPDLOG_API spdlog::logger::logger(std::string name, sinks_init_list::iterator begin, sinks_init_list::iterator end);
template class SPDLOG_API spdlog::sinks::base_sink<std::mutex>;
template class SPDLOG_API spdlog::sinks::base_sink<spdlog::details::null_mutex>;
template class SPDLOG_API spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>;
template class SPDLOG_API spdlog::sinks::stdout_sink_base<spdlog::details::console_nullmutex>;
template class SPDLOG_API spdlog::sinks::stdout_sink<spdlog::details::console_mutex>;
template class SPDLOG_API spdlog::sinks::stderr_sink<spdlog::details::console_mutex>;
template class SPDLOG_API spdlog::sinks::ansicolor_sink<spdlog::details::console_mutex>;
template class SPDLOG_API spdlog::sinks::ansicolor_stdout_sink<spdlog::details::console_mutex>;
template class SPDLOG_API spdlog::sinks::ansicolor_stderr_sink<spdlog::details::console_mutex>;
]] @ONLY)
  set(FLOX_FMT_SOURCE ${sources}/fmt.cc)
  add_library(flox_static_cxx_objects OBJECT ${sources}/fmt.cc ${sources}/spdlog.cc)
  target_compile_options(flox_static_cxx_objects PRIVATE -w)
  flox_cold(flox_static_cxx_objects)
  target_link_libraries(flox_static_cxx_objects PRIVATE spdlog::spdlog fmt::fmt)
  # As objects, and as a whole archive, they come before the shared ones, which --as-needed leaves out then.
  target_sources(flox_static_cxx INTERFACE $<TARGET_OBJECTS:flox_static_cxx_objects>)
  target_link_options(flox_static_cxx INTERFACE -static-libstdc++ -static-libgcc -Wl,--as-needed)
  target_link_libraries(flox_static_cxx INTERFACE -Wl,--whole-archive ${protobuf_lite_static} -Wl,--no-whole-archive)
endif()
