// Zip and tar archives of strangers. The first byte says which; nothing is written outside of the directory.
#include "package/imported/archive_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/os/file.h"
#include "fuzz.h"

namespace flox::fuzz::of_archive_files {

void one(std::string_view input) {
  static const TempDir places("flox-fuzz-");
  const fs::path archive = places.path() / "archive", tree = places.path() / "tree";
  const unsigned char kind = take_byte(input);
  write_file(archive, input);
  fs::create_directory(tree);
  accepts([&] {
    package::unpack_files(archive, kind % 2 == 0 ? package::ArchiveFormat::zip : package::ArchiveFormat::tar,
                          kind / 2 % 2, Directory(tree));
  });
  for (const auto& entry : fs::directory_iterator(places.path())) {
    const std::string name = entry.path().filename();
    require(name == "archive" || name == "tree", "nothing is written beside the directory");
  }
  for (const auto& entry : fs::recursive_directory_iterator(tree))
    require(entry.symlink_status().type() == fs::file_type::regular ||
                entry.symlink_status().type() == fs::file_type::directory,
            "there are files and directories only");
  remove_tree(tree);
}

}  // namespace flox::fuzz::of_archive_files
