// Programs whose loader, search path and libraries are changed: what can be changed can be read, and says
// what was wanted.
#include "package/elf_patch.h"

#include <fcntl.h>

#include <cstdlib>

#include "base/os/file.h"
#include "fuzz.h"
#include "package/elf.h"

namespace flox::fuzz::of_elf_patch {

void one(std::string_view input) {
  static const TempDir directory("flox-fuzz-");
  const fs::path file = directory.path() / "program";
  write_file(file, input);
  std::optional<package::Elf> before;
  accepts([&] { before = package::read_elf(file); });
  if (!before) return;
  package::ElfChange change{
      .interpreter = {}, .search_path = {"/nix/store/x/lib", "$ORIGIN"}, .needed = {"libx.so.1"}};
  accepts([&] {
    for (const std::string& text : package::texts_of_elf(open_file(file.string(), O_RDONLY), "/"))
      if (change.texts.empty()) change.texts.emplace(text, "/nix/store/" + std::string(64, 'a'));
  });
  if (!before->interpreter.empty()) change.interpreter = "/nix/store/" + std::string(64, 'a') + "/ld.so";
  bool changed = false;
  accepts([&] {
    package::patch_elf(open_file(file.string(), O_RDWR), change);
    changed = true;
  });
  if (!changed) return;
  // A program whose tables overlap can be changed into one that is damaged: reading it must say so or agree.
  std::optional<package::Elf> after;
  accepts([&] { after = package::read_elf(file); });
}

}  // namespace flox::fuzz::of_elf_patch
