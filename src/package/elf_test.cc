#include "package/elf.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"

namespace flox::package {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
