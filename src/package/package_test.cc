// Formats that packages come in: control data, .deb files, ELF.
#include <elf.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstring>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "package/debian/control.h"
#include "package/debian/deb_file.h"
#include "package/debian/package_rules.h"
#include "package/elf.h"

namespace flox::package {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Control, ReadsStanzasWithContinuationLines) {
  auto stanzas =
      parse_control("Package: a\nDescription: short\n long\n .\n\nPackage: b\nDepends:\n x,\n y\n");
  ASSERT_EQ(stanzas.size(), 2u);
  EXPECT_EQ(stanzas[0].at("Description"), "short\nlong\n.");
  EXPECT_EQ(stanzas[1].at("Depends"), "\nx,\ny");
}

TEST(Control, RefusesALineThatIsNoField) {
  EXPECT_THROW(parse_control("Package: a\nnonsense\n"), Error);
  EXPECT_THROW(parse_control(" continues nothing\n"), Error);
}

TEST(Control, ReadsRelationsWithoutVersionsArchitecturesAndQualifiers) {
  EXPECT_THAT(parse_relations(
                  "libc6 (>= 2.35), debconf (>= 0.5) | debconf-2.0, python3:any, x [amd64] <!nocheck>,\n y"),
              ElementsAre(ElementsAre("libc6"), ElementsAre("debconf", "debconf-2.0"), ElementsAre("python3"),
                          ElementsAre("x"), ElementsAre("y")));
  EXPECT_TRUE(parse_relations("").empty());
}

TEST(Control, TakesTheUpstreamPartOfAVersion) {
  EXPECT_EQ(upstream_version("1:3.11.2-1+b1"), "3.11.2");
  EXPECT_EQ(upstream_version("2.36-9+deb12u14"), "2.36");
  EXPECT_EQ(upstream_version("1.2-rc1-4"), "1.2-rc1");
  EXPECT_EQ(upstream_version("20230311"), "20230311");
  EXPECT_EQ(upstream_version("2.1~beta3-1"), "2.1_beta3");  // '~' may not be in a store path
}

TEST(Layout, MergesSlashAndUsr) {
  EXPECT_EQ(layout_path("./usr/bin/x"), "bin/x");
  EXPECT_EQ(layout_path("/lib/x86_64-linux-gnu/libz.so.1"), "lib/x86_64-linux-gnu/libz.so.1");
  EXPECT_EQ(layout_path("./usr/lib/../share/x"), "share/x");
  EXPECT_EQ(layout_path("./"), std::nullopt);
  EXPECT_EQ(layout_path("./usr/"), std::nullopt);
  EXPECT_EQ(layout_path("../../etc/passwd"), "etc/passwd");  // nothing is above the root
}

// A .deb made by dpkg-deb from files that `fill` puts below a directory.
class DebTest : public ::testing::Test {
 protected:
  fs::path make_deb(const std::string& compression = "xz") {
    fs::create_directories(root_ / "DEBIAN");
    write_file(root_ / "DEBIAN/control",
               "Package: t\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n");
    run_checked({.argv = {"dpkg-deb", "--root-owner-group", "-Z" + compression, "--build", root_.string(),
                          (work_.path() / "t.deb").string()}});
    return work_.path() / "t.deb";
  }
  void put(const std::string& place, const std::string& content, unsigned mode = 0644) {
    fs::create_directories((root_ / place).parent_path());
    write_file(root_ / place, content, mode);
  }
  void link(const std::string& place, const std::string& target) {
    fs::create_directories((root_ / place).parent_path());
    fs::create_symlink(target, root_ / place);
  }

  TempDir work_;
  fs::path root_ = work_.path() / "root";
  fs::path tree_ = work_.path() / "tree";
};

TEST_F(DebTest, IsUnpackedWithoutUsrAndWithoutWhatNobodyNeeds) {
  put("usr/bin/x", "program", 04755);
  put("lib/y.conf", "data");
  put("usr/share/doc/t/copyright", "words");
  auto deb = make_deb();
  EXPECT_THAT(list_deb(deb), ElementsAre("bin/x", "lib/y.conf"));
  unpack_deb(deb, tree_);
  EXPECT_EQ(read_file(tree_ / "bin/x"), "program");
  struct stat status {};
  ASSERT_EQ(::stat((tree_ / "bin/x").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755u) << "set-user-id must be dropped";
  EXPECT_FALSE(fs::exists(tree_ / "share"));
}

TEST_F(DebTest, IsUnpackedWhateverItsCompression) {
  put("usr/bin/x", "program", 0755);
  for (const char* compression : {"zstd", "gzip", "none"}) {
    if (std::string(compression) == "zstd" &&
        run({.argv = {"sh", "-c", "dpkg-deb --help | grep -q zstd"}}).exit_code != 0)
      continue;
    EXPECT_THAT(list_deb(make_deb(compression)), ElementsAre("bin/x")) << compression;
  }
}

TEST_F(DebTest, KeepsRelativeLinksRightWhereTheDirectoriesMove) {
  put("lib/x86_64-linux-gnu/libx.so.1", "library");
  link("usr/lib/x86_64-linux-gnu/libx.so", "../../../lib/x86_64-linux-gnu/libx.so.1");
  link("usr/bin/here", "./there");
  link("etc/x", "/usr/share/x");
  unpack_deb(make_deb(), tree_);
  EXPECT_EQ(fs::read_symlink(tree_ / "lib/x86_64-linux-gnu/libx.so"), "libx.so.1");
  EXPECT_EQ(fs::read_symlink(tree_ / "bin/here"), "there");
  EXPECT_EQ(fs::read_symlink(tree_ / "etc/x"), "/usr/share/x");
}

TEST_F(DebTest, TurnsHardLinksIntoFiles) {
  put("usr/bin/a", "same", 0755);
  fs::create_hard_link(root_ / "usr/bin/a", root_ / "usr/bin/b");
  unpack_deb(make_deb(), tree_);
  EXPECT_EQ(read_file(tree_ / "bin/b"), "same");
  EXPECT_EQ(fs::hard_link_count(tree_ / "bin/a"), 1u);
}

TEST_F(DebTest, IsRefusedIfAHardLinkWouldCopyAFileOfThisMachine) {
  write_file(work_.path() / "secret", "of this machine");
  link("a", work_.path() / "secret");
  fs::create_hard_link(root_ / "a", root_ / "b");  // of the symbolic link itself
  EXPECT_THROW(unpack_deb(make_deb(), tree_), Error);
  EXPECT_FALSE(fs::exists(fs::symlink_status(tree_ / "b")));
}

TEST_F(DebTest, IsRefusedIfItsFilesCollideWithAnother) {
  put("usr/bin/a", "one");
  unpack_deb(make_deb(), tree_);
  unpack_deb(make_deb(), tree_);  // the same file again is no collision
  put("usr/bin/a", "two");
  EXPECT_THROW(unpack_deb(make_deb(), tree_), Error);
}

TEST_F(DebTest, IsRefusedIfDamaged) {
  put("usr/bin/a", std::string(100000, 'a'));
  auto deb = make_deb();
  std::string bytes = read_file(deb);
  write_file(deb, bytes.substr(0, bytes.size() - 60));
  EXPECT_THROW(unpack_deb(deb, tree_), Error);
  write_file(deb, "not a package");
  EXPECT_THROW(unpack_deb(deb, tree_), Error);
}

TEST_F(DebTest, CannotWriteThroughALinkItMade) {
  link("usr/x", work_.path().string());
  auto first = make_deb();
  unpack_deb(first, tree_);
  fs::remove(root_ / "usr/x");
  put("usr/x/file", "escaped");
  EXPECT_THROW(unpack_deb(make_deb(), tree_), Error);
  EXPECT_FALSE(fs::exists(work_.path() / "file"));
}

// Trees in which a package has placed links that lead out of them.
class RulesTest : public ::testing::Test {
 protected:
  RulesTest() {
    fs::create_directories(tree_);
    fs::create_directories(outside_ / "ssl/certs");
    write_file(outside_ / "ssl/certs/ca-certificates.crt", "of this machine\n");
    write_file(outside_ / "secret.crt", "secret\n");
    write_file(outside_ / "busybox", "#!/bin/sh\necho ls; touch \"$(dirname \"$0\")/ran\"\n", 0755);
  }
  void put(const std::string& place, const std::string& content, unsigned mode = 0644) {
    fs::create_directories((tree_ / place).parent_path());
    write_file(tree_ / place, content, mode);
  }
  void link_out(const std::string& place) {
    fs::create_directories((tree_ / place).parent_path());
    fs::create_directory_symlink(outside_, tree_ / place);
  }
  void expect_outside_unchanged() {
    EXPECT_EQ(read_file(outside_ / "ssl/certs/ca-certificates.crt"), "of this machine\n");
    EXPECT_EQ(std::distance(fs::recursive_directory_iterator(outside_), {}), 5);
  }

  TempDir work_;
  fs::path tree_ = work_.path() / "tree", outside_ = work_.path() / "outside";
};

TEST_F(RulesTest, CertificatesAreBundledInTheTreeWhateverItsLinksSay) {
  put("share/ca-certificates/mozilla/b.crt", "two");
  put("share/ca-certificates/mozilla/a.crt", "one\n");
  put("share/ca-certificates/mozilla/readme", "words");
  link_out("etc");
  apply_package_rules("ca-certificates", tree_);
  EXPECT_FALSE(fs::is_symlink(tree_ / "etc"));
  EXPECT_EQ(read_file(tree_ / "etc/ssl/certs/ca-certificates.crt"), "one\ntwo\n");
  EXPECT_FALSE(fs::exists(tree_ / "share"));
  expect_outside_unchanged();
}

TEST_F(RulesTest, CertificatesAreOfThePackageNotOfThisMachine) {
  for (const char* place : {"share/ca-certificates/mozilla", "share/ca-certificates", "share"}) {
    link_out(place);
    fs::create_directories(outside_ / "ca-certificates");  // so that each way leads to something
    EXPECT_THROW(apply_package_rules("ca-certificates", tree_), Error) << place;
    fs::remove_all(outside_ / "ca-certificates");
    fs::remove_all(tree_ / "share");
  }
  fs::create_directories(tree_ / "share/ca-certificates/mozilla");
  fs::create_symlink(outside_ / "secret.crt", tree_ / "share/ca-certificates/mozilla/a.crt");
  EXPECT_THROW(apply_package_rules("ca-certificates", tree_), Error);
  EXPECT_FALSE(fs::exists(tree_ / "etc"));
  expect_outside_unchanged();
}

TEST_F(RulesTest, AppletsAreLinkedInTheTreeOrNotAtAll) {
  link_out("bin");
  EXPECT_THROW(apply_package_rules("busybox", tree_), Error);
  expect_outside_unchanged();
  fs::remove(tree_ / "bin");
  fs::create_directories(tree_ / "bin");
  fs::create_symlink(outside_ / "busybox", tree_ / "bin/busybox");
  EXPECT_THROW(apply_package_rules("busybox", tree_), Error);
  expect_outside_unchanged();
  fs::remove(tree_ / "bin/busybox");
  put("bin/busybox", "#!/bin/sh\nprintf 'ls\\n../up\\nbusybox\\n[\\n'\n", 0755);
  apply_package_rules("busybox", tree_);
  EXPECT_EQ(fs::read_symlink(tree_ / "bin/ls"), "busybox");
  EXPECT_EQ(fs::read_symlink(tree_ / "bin/["), "busybox");
  EXPECT_EQ(std::distance(fs::directory_iterator(tree_ / "bin"), {}), 3);
  EXPECT_FALSE(fs::exists(fs::symlink_status(tree_ / "up")));
}

TEST(Elf, TellsWhatAProgramNeeds) {
  auto elf = read_elf("/proc/self/exe");
  ASSERT_TRUE(elf);
  EXPECT_TRUE(elf->executable);
  EXPECT_THAT(elf->interpreter, HasSubstr("ld-linux"));
  EXPECT_THAT(elf->needed, Contains("libc.so.6"));
  EXPECT_TRUE(elf->soname.empty());
}

TEST(Elf, TellsALibrarysNameRunpathAndImports) {
  TempDir work;
  write_file(work.path() / "x.c", "void pthread_exit(void*); void f(void) { pthread_exit(0); }");
  run_checked({.argv = {"gcc", "-shared", "-fPIC", "-o", "x.so", "x.c", "-Wl,-soname,libx.so.7",
                        "-Wl,-rpath,/a:$ORIGIN/b", "-Wl,--enable-new-dtags"},
               .cwd = work.path().string()});
  auto elf = read_elf(work.path() / "x.so");
  ASSERT_TRUE(elf);
  EXPECT_FALSE(elf->executable);
  EXPECT_EQ(elf->soname, "libx.so.7");
  EXPECT_THAT(elf->search_path, ElementsAre("/a", "$ORIGIN/b"));
  EXPECT_TRUE(elf->imports.contains("pthread_exit"));
}

TEST(Elf, IsNotWhatNeedsNoRelocation) {
  TempDir work;
  write_file(work.path() / "script", "#!/bin/sh\n");
  EXPECT_FALSE(read_elf(work.path() / "script"));
  write_file(work.path() / "short",
             "\x7f"
             "ELF");
  EXPECT_FALSE(read_elf(work.path() / "short"));
  write_file(work.path() / "empty", "");
  EXPECT_FALSE(read_elf(work.path() / "empty"));
}

TEST(Elf, IsRefusedIfItPointsOutsideItself) {
  TempDir work;
  std::string bytes = read_file("/proc/self/exe");
  write_file(work.path() / "half", bytes.substr(0, 200));
  EXPECT_THROW(read_elf(work.path() / "half"), Error);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  write_file(work.path() / "without",
             bytes.substr(0, header.e_shoff + header.e_shnum * sizeof(Elf64_Shdr) - 1));
  EXPECT_THROW(read_elf(work.path() / "without"), Error);
}

TEST(Elf, IsReadOnceThoughManySectionsNameTheSameBytes) {
  TempDir work;
  const auto refusal_of = [&](uint32_t type) -> std::string {
    std::string bytes = read_file("/proc/self/exe");
    const Elf64_Shdr section{.sh_name = 0,
                             .sh_type = type,
                             .sh_flags = 0,
                             .sh_addr = 0,
                             .sh_offset = bytes.size(),
                             .sh_size = 12 << 20,
                             .sh_link = 0,
                             .sh_info = 0,
                             .sh_addralign = 4,
                             .sh_entsize = 0};
    bytes.append(section.sh_size, '\0');  // as symbols or notes: nothing in particular
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.e_shoff = bytes.size();
    header.e_shnum = 2;
    std::memcpy(bytes.data(), &header, sizeof header);
    for (int i = 0; i < 2; ++i) bytes.append(reinterpret_cast<const char*>(&section), sizeof section);
    write_file(work.path() / "program", bytes);
    try {
      read_elf(work.path() / "program");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal_of(SHT_DYNSYM), HasSubstr("two tables of dynamic symbols"));
  EXPECT_THAT(refusal_of(SHT_NOTE), HasSubstr("its notes are too large"));
}

}  // namespace
}  // namespace flox::package
