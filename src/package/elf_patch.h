// Gives an ELF program another loader, another RUNPATH, and further libraries.
//
// No loadable segment moves, and neither does the table of segments: addresses that code, relocations, the
// kernel (AT_PHDR, before Linux 5.18) and debuggers have computed stay what they are. What becomes longer
// goes behind the last loadable segment in memory, which grows: its zeros (.bss) become bytes of the file,
// the new text follows them, and what stood behind it in the file (debug information, section headers), which
// nothing maps, stands that much later. patchelf 0.14 moves .dynamic and the headers instead; programs of
// Go with cgo died of it before main().
#pragma once  // Fuzzed by fuzz/elf_patch.cc.

#include <string>
#include <vector>

#include "base/os/fd.h"

namespace flox::package {

struct ElfChange {
  std::string interpreter;               // PT_INTERP; empty: as it is
  std::vector<std::string> search_path;  // DT_RUNPATH, in place of what it was; empty: none
  std::vector<std::string> needed;       // further DT_NEEDED, after those that are there
};

// Changes the program in the file, which is open for reading and writing, in place: whoever wants all or
// nothing patches a copy. What the old search path was is gone from the file unless a symbol's name is part
// of it. The file must be one that read_elf() reads. Throws Error(invalid_input), before anything is written,
// for one that says nonsense of itself, that has no interpreter to change, whose segments stand in the file
// as no linker leaves them, or with more than 256 MiB of zeros in its last segment.
void patch_elf(const Fd& file, const ElfChange& change);

}  // namespace flox::package
