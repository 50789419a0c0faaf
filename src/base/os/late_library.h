// Shared libraries that are loaded when they are first needed, because what they need in turn would be most
// of a program's start, and most commands never call them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flox {

// Says in the program's file what it loads later, for tools that collect what it needs (the ELF notes of the
// UAPI group's "dlopen metadata"): our own src/package/elf.cc reads it. Each library's own file has one, in
// the section .note.dlopen, aligned to 4 bytes.
template <size_t Size>
struct DlopenNote {
  uint32_t name_size = sizeof name;
  uint32_t description_size = Size;
  uint32_t type = 0x407c0c0a;
  char name[4] = "FDO";
  char description[(Size + 3) / 4 * 4] = {};
};

// `json`: an array of objects with "soname", "feature", "description" and "priority". The note has no
// constructor, or g++ would put it where the program can write, and its whole segment with it.
template <size_t Size>
consteval DlopenNote<Size> dlopen_note(const char (&json)[Size]) {
  DlopenNote<Size> note;
  for (size_t i = 0; i < Size; ++i) note.description[i] = json[i];
  return note;
}

// A library that has been loaded; it stays until the process ends.
class LateLibrary {
 public:
  // Loads it. `purpose` ("to fetch over HTTP") and the Debian package that has it are for the error. Throws
  // Error(internal) if the machine does not have it.
  LateLibrary(const char* soname, const char* purpose, const char* package);

  // The function with this name and this type. Throws Error(internal) if the library does not have it.
  template <typename Function>
  void find(const char* name, Function*& function) const {
    function = reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;

  const char* soname_;
  void* handle_;
};

}  // namespace flox
