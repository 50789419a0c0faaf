#include "package/imported/archive_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/os/file.h"
#include "base/os/process.h"
#include "package/imported/unpack.h"
#include "testing/error_of.h"
#include "testing/names_in.h"

namespace flox::package {
namespace {

using testing::HasSubstr;

class ArchiveFilesTest : public testing::Test {
 protected:
  // An archive that Python's own modules make of the statements.
  fs::path zip(const std::string& body) const {
    return make("import zipfile, stat\nwith zipfile.ZipFile('archive', 'w', zipfile.ZIP_DEFLATED) as a:\n" +
                body);
  }
  fs::path tar(const std::string& body) const {
    return make(
        "import tarfile, io\ndef add(a, name, kind=tarfile.REGTYPE, text=b'', mode=0o644, link=''):\n"
        "  i = tarfile.TarInfo(name); i.type = kind; i.size = len(text); i.mode = mode; i.linkname = link\n"
        "  a.addfile(i, io.BytesIO(text))\nwith tarfile.open('archive', 'w:gz') as a:\n" +
        body);
  }
  fs::path make(const std::string& script) const {
    run_checked({.argv = {"python3", "-W", "ignore", "-c", script}, .cwd = work_.path().string()});
    return work_.path() / "archive";
  }
  fs::path tree() const {
    const fs::path path = work_.path() / "tree";
    fs::create_directory(path);
    return path;
  }
  std::string refusal(const fs::path& archive, ArchiveFormat format, unsigned strip = 0) const {
    const fs::path to = tree();
    const std::string message = error_of([&] { unpack_files(archive, format, strip, Directory(to)); });
    remove_tree(to);
    return message;
  }
  TempDir work_;
};

TEST_F(ArchiveFilesTest, FilesOfAZipArchiveAreThereAndScriptsAreNoPrograms) {
  const fs::path to = tree();
  unpack_confined(
      zip("  a.writestr('pkg/ä.py', 'text')\n"
          "  i = zipfile.ZipInfo('bin/run'); i.external_attr = 0o100755 << 16; a.writestr(i, '#!/bin/sh')\n"
          "  i = zipfile.ZipInfo('bin/elf'); i.external_attr = 0o100755 << 16; a.writestr(i, 'ELF')\n"
          "  a.writestr('empty', '')\n"),
      ArchiveFormat::zip, 0, to);
  EXPECT_EQ(read_file(to / "pkg/ä.py"), "text");
  EXPECT_EQ(fs::status(to / "bin/run").permissions() & fs::perms::owner_exec, fs::perms::none);
  EXPECT_EQ(fs::status(to / "bin/elf").permissions() & fs::perms::owner_exec, fs::perms::owner_exec);
  EXPECT_EQ(fs::file_size(to / "empty"), 0u);
}

TEST_F(ArchiveFilesTest, TheFirstNamesOfATarArchiveAreLeftOut) {
  const fs::path to = tree();
  unpack_files(tar("  add(a, 'package', tarfile.DIRTYPE)\n  add(a, './package/lib/index.js', text=b'x')\n"),
               ArchiveFormat::tar, 1, Directory(to));
  EXPECT_EQ(read_file(to / "lib/index.js"), "x");
}

TEST_F(ArchiveFilesTest, NothingLeadsOutAndNothingIsElseThanAFile) {
  EXPECT_THAT(refusal(zip("  a.writestr('../x', '')\n"), ArchiveFormat::zip),
              HasSubstr("cannot be the name"));
  EXPECT_THAT(refusal(zip("  a.writestr('/tmp/x', '')\n"), ArchiveFormat::zip), HasSubstr("absolute"));
  EXPECT_THAT(refusal(zip("  a.writestr('a', '1')\n  a.writestr('a', '2')\n"), ArchiveFormat::zip),
              HasSubstr("twice"));
  EXPECT_THAT(refusal(zip("  a.writestr('a', '1')\n  a.writestr('a/b', '2')\n"), ArchiveFormat::zip),
              HasSubstr("damaged"));
  EXPECT_THAT(refusal(zip("  a.writestr('zeros', bytes(300 << 20))\n"), ArchiveFormat::zip),
              HasSubstr("far more"));
  EXPECT_THAT(refusal(tar("  add(a, 'p/x', tarfile.SYMTYPE, link='/etc/passwd')\n"), ArchiveFormat::tar, 1),
              HasSubstr("neither"));
  EXPECT_THAT(refusal(tar("  add(a, 'p/y', text=b'1')\n  add(a, 'p/x', tarfile.LNKTYPE, link='p/y')\n"),
                      ArchiveFormat::tar, 1),
              HasSubstr("neither"));
  EXPECT_THAT(refusal(tar("  add(a, 'p/x', tarfile.CHRTYPE)\n"), ArchiveFormat::tar, 1),
              HasSubstr("neither"));
  EXPECT_THAT(refusal(tar("  add(a, 'alone', text=b'x')\n"), ArchiveFormat::tar, 1), HasSubstr("outside"));
  EXPECT_THAT(refusal(tar("  add(a, 'd/' * 200 + 'x')\n"), ArchiveFormat::tar),
              HasSubstr("too many directories"));
  write_file(work_.path() / "archive", "not an archive");
  EXPECT_THAT(refusal(work_.path() / "archive", ArchiveFormat::zip), HasSubstr("damaged"));
  EXPECT_THAT(refusal(work_.path() / "archive", ArchiveFormat::tar), HasSubstr("damaged"));
}

}  // namespace
}  // namespace flox::package
