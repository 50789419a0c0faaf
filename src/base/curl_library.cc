#include "base/curl_library.h"

#include <dlfcn.h>

#include <cstdint>

#include "base/error.h"

namespace flox {
namespace {

// Says in the program's file what it loads later, for tools that collect what it needs (the ELF notes of the
// UAPI group's "dlopen metadata"): our own src/package/elf.cc reads it.
constexpr char dlopen_description[] =
    R"([{"feature":"http","description":"Fetching from binary caches and catalogs",)"
    R"("priority":"required","soname":["libcurl.so.4"]}])";
struct DlopenNote {
  uint32_t name_size = sizeof name;
  uint32_t description_size = sizeof description;
  uint32_t type = 0x407c0c0a;
  char name[4] = "FDO";
  char description[(sizeof dlopen_description + 3) / 4 * 4] = {};
};
constexpr DlopenNote make_note() {
  DlopenNote note;
  for (size_t i = 0; i < sizeof dlopen_description; ++i) note.description[i] = dlopen_description[i];
  return note;
}
[[gnu::used, gnu::section(".note.dlopen"), gnu::aligned(4)]] const constinit DlopenNote note = make_note();

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) fail(ErrorKind::internal, "loading libcurl: it has no {}", name);
}

CurlLibrary load() {
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw Error(ErrorKind::internal, fmt::format("loading libcurl, to fetch over HTTP: {}", ::dlerror()),
                "Install it: apt-get install libcurl4");
  CurlLibrary curl{};
  find(library, "curl_global_init", curl.global_init);
  find(library, "curl_easy_init", curl.easy_init);
  find(library, "curl_easy_reset", curl.easy_reset);
  find(library, "curl_easy_cleanup", curl.easy_cleanup);
  find(library, "curl_easy_setopt", curl.easy_setopt);
  find(library, "curl_easy_getinfo", curl.easy_getinfo);
  find(library, "curl_easy_perform", curl.easy_perform);
  find(library, "curl_easy_pause", curl.easy_pause);
  find(library, "curl_easy_strerror", curl.easy_strerror);
  find(library, "curl_slist_append", curl.slist_append);
  find(library, "curl_slist_free_all", curl.slist_free_all);
  find(library, "curl_multi_init", curl.multi_init);
  find(library, "curl_multi_setopt", curl.multi_setopt);
  find(library, "curl_multi_add_handle", curl.multi_add_handle);
  find(library, "curl_multi_remove_handle", curl.multi_remove_handle);
  find(library, "curl_multi_assign", curl.multi_assign);
  find(library, "curl_multi_socket_action", curl.multi_socket_action);
  find(library, "curl_multi_info_read", curl.multi_info_read);
  find(library, "curl_multi_cleanup", curl.multi_cleanup);
  find(library, "curl_getdate", curl.getdate);
  curl.global_init(CURL_GLOBAL_DEFAULT);
  return curl;
}

}  // namespace

const CurlLibrary& curl() {
  static const CurlLibrary library = load();
  return library;
}

}  // namespace flox
