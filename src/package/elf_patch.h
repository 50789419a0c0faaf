// Gives an ELF program another loader, another RUNPATH, and further libraries.
//
// No loadable segment moves, and neither does the table of segments: addresses that code, relocations, the
// kernel (AT_PHDR, before Linux 5.18) and debuggers have computed stay what they are. What becomes longer
// goes behind the last loadable segment in memory, which grows: its zeros (.bss) become bytes of the file,
// the new text follows them, and what stood behind it in the file (debug information, section headers), which
// nothing maps, stands that much later. patchelf 0.14 moves .dynamic and the headers instead; programs of
// Go with cgo died of it before main().
#pragma once  // Fuzzed by fuzz/elf_patch.cc.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"

namespace flox::package {

struct ElfChange {
  std::string interpreter;               // PT_INTERP; empty: as it is
  std::vector<std::string> search_path;  // DT_RUNPATH, in place of what it was; empty: none
  std::vector<std::string> needed;       // further DT_NEEDED, after those that are there
  // Texts that the code names, such as compiled-in paths, and what it names instead, of any length. On x86-64
  // alone: each place in the code that computes the text's address relative to itself (LEA), which is what
  // compilers make of a string's use, computes the new one's. A text that no such place names is an error.
  std::map<std::string, std::string> texts = {};
};

// Changes the program in the file, which is open for reading and writing, in place: whoever wants all or
// nothing patches a copy. What the old search path was is gone from the file unless a symbol's name is part
// of it. The file must be one that read_elf() reads. Throws Error(invalid_input), before anything is written,
// for one that says nonsense of itself, that has no interpreter to change, whose segments stand in the file
// as no linker leaves them, or with more than 256 MiB of zeros in its last segment.
void patch_elf(const Fd& file, const ElfChange& change);

// The texts, each a whole string of the program's read-only data, that begin with `prefix`: at most 1,000, in
// order, each once. Throws as patch_elf() does.
std::vector<std::string> texts_of_elf(const Fd& file, std::string_view prefix);

}  // namespace flox::package
