#include "package/elf_patch.h"

#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"
#include "package/elf.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A program that says what its library says, and a library in a directory that nothing searches.
class ElfPatchTest : public ::testing::Test {
 protected:
  ElfPatchTest() {
    fs::create_directory(at("elsewhere"));
    write_file(at("words.c"), "const char* words(void) { return \"words\"; }");
    compile({"-shared", "-fPIC", "-o", "elsewhere/libwords.so", "words.c", "-Wl,-soname,libwords.so"});
    write_file(at("main.c"), R"(
      #include <stdio.h>
      #include <stdlib.h>
      #include <string.h>
      const char* words(void);
      static char zeros[3 << 20];
      int main(void) {
        size_t at = 0;
        while (at < sizeof zeros && zeros[at] == 0) ++at;
        memset(zeros, 7, sizeof zeros);
        char* heap = calloc(1, 40000);
        size_t clean = 0;
        while (clean < 40000 && heap[clean] == 0) ++clean;
        printf("%s %d %d\n", words(), at == sizeof zeros, clean == 40000);
        return 0;
      })");
  }

  fs::path at(const std::string& place) const { return work_.path() / place; }
  void compile(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "gcc");
    run_checked({.argv = std::move(arguments), .cwd = work_.path().string()});
  }
  fs::path make_program(std::vector<std::string> options = {}) const {
    options.insert(options.end(), {"-o", "program", "main.c", "-Lelsewhere", "-lwords"});
    compile(options);
    return at("program");
  }
  static void patch(const fs::path& path, const ElfChange& change) {
    patch_elf(open_file(path.string(), O_RDWR), change);
  }
  // This machine's loader under a name that is longer than any slot for it.
  std::string long_loader(const fs::path& program) const {
    const std::string directory = at(std::string(60, 'l')).string();
    fs::create_directories(directory);
    const std::string loader = directory + "/ld.so";
    if (!fs::exists(loader)) fs::create_symlink(read_elf(program)->interpreter, loader);
    return loader;
  }
  static std::string output(const fs::path& program) {
    return run({.argv = {program.string()}, .env = {{"LD_LIBRARY_PATH", ""}}}).out;
  }
  // Address and size in memory of the loadable segments, but for the size of the last one; and where the
  // table of segments is.
  static std::vector<uint64_t> addresses(const fs::path& program) {
    const std::string bytes = read_file(program);
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::vector<uint64_t> result{header.e_phoff, header.e_phnum, header.e_entry};
    for (unsigned i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
      if (segment.p_type == PT_LOAD) result.insert(result.end(), {segment.p_vaddr, segment.p_memsz});
    }
    result.pop_back();
    return result;
  }

  TempDir work_;
};

TEST_F(ElfPatchTest, gives_a_program_a_loader_and_a_search_path_and_moves_no_segment) {
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{},
                                             {"-no-pie"},
                                             {"-g"},
                                             {"-Wl,--spare-dynamic-tags=0"},
                                             {"-Wl,-z,norelro"},
                                             {"-Wl,-z,relro,-z,now"},
                                             {"-s"}}) {
    const fs::path program = make_program(options);
    EXPECT_EQ(output(program), "");  // it does not find its library
    const auto before = addresses(program);
    const std::string loader = long_loader(program);
    patch(program, {.interpreter = loader, .search_path = {at("elsewhere").string()}, .needed = {}});
    EXPECT_EQ(output(program), "words 1 1\n");
    EXPECT_EQ(addresses(program), before);
    EXPECT_EQ(read_elf(program)->interpreter, loader);
    EXPECT_THAT(read_elf(program)->search_path, ElementsAre(at("elsewhere").string()));
    EXPECT_EQ(run({.argv = {"readelf", "--all", "--wide", program.string()}}).err, "");
  }
}

TEST_F(ElfPatchTest, can_change_a_program_again_and_again) {
  const fs::path program = make_program();
  for (int i = 0; i < 20; ++i)
    patch(program, {.interpreter = i % 2 == 0 ? long_loader(program) : "/lib64/ld-linux-x86-64.so.2",
                    .search_path = {"/nowhere/" + std::to_string(i)},
                    .needed = {}});
  const std::string loader = long_loader(program);
  patch(program,
        {.interpreter = loader, .search_path = {"/nowhere", at("elsewhere").string()}, .needed = {}});
  EXPECT_EQ(output(program), "words 1 1\n");
  EXPECT_LT(fs::file_size(program), 5 << 20);
}

TEST_F(ElfPatchTest, adds_libraries_that_a_program_needs) {
  write_file(at("plain.c"), "#include <stdio.h>\nint main(void) { return puts(\"plain\") < 0; }");
  compile({"-o", "program", "plain.c"});
  patch(at("program"),
        {.interpreter = {}, .search_path = {at("elsewhere").string()}, .needed = {"libwords.so"}});
  EXPECT_THAT(read_elf(at("program"))->needed, ElementsAre("libc.so.6", "libwords.so"));
  EXPECT_EQ(output(at("program")), "plain\n");
  fs::remove(at("elsewhere/libwords.so"));
  EXPECT_EQ(output(at("program")), "");  // it is really asked for
}

TEST_F(ElfPatchTest, leaves_nothing_of_the_search_path_that_was) {
  const fs::path program = make_program({"-Wl,-rpath,/home/ann/secret/lib:/opt/words"});
  ASSERT_THAT(read_file(program), HasSubstr("/home/ann/secret"));
  patch(program, {.interpreter = {}, .search_path = {at("elsewhere").string()}, .needed = {}});
  EXPECT_THAT(read_file(program), Not(HasSubstr("/home/ann/secret")));
  EXPECT_EQ(output(program), "words 1 1\n");
  patch(program, {.interpreter = {}, .search_path = {}, .needed = {}});
  EXPECT_TRUE(read_elf(program)->search_path.empty());
  EXPECT_THAT(read_file(program), Not(HasSubstr("elsewhere")));
  EXPECT_EQ(output(program), "");
}

// Linkers store a string that is the end of another only once.
TEST_F(ElfPatchTest, keeps_a_name_that_is_the_end_of_the_search_path_that_was) {
  write_file(at("tail.c"), "int tail_of_it(void) { return 7; } int main(void) { return tail_of_it() - 7; }");
  compile({"-o", "program", "tail.c", "-rdynamic", "-Wl,-rpath,/home/ann/tail_of_it"});
  patch(at("program"), {.interpreter = {}, .search_path = {"/a"}, .needed = {}});
  EXPECT_THAT(read_file(at("program")), Not(HasSubstr("/home/ann/")));
  EXPECT_THAT(run_checked({.argv = {"nm", "-D", at("program").string()}}), HasSubstr("tail_of_it"));
}

// Lists of versions that begin at every byte, each of 65,535 times the same.
TEST_F(ElfPatchTest, takes_no_memory_for_names_that_lie) {
  const fs::path program = make_program({"-Wl,-rpath,/search/path/that/was"});
  std::string bytes = read_file(program);
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  Elf64_Verneed lie{};
  lie.vn_cnt = 0xffff;
  lie.vn_next = sizeof lie;
  std::string table;
  for (int i = 0; i < 100'000; ++i) table.append(reinterpret_cast<const char*>(&lie), sizeof lie);
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    char* const place = bytes.data() + header.e_shoff + i * sizeof section;
    std::memcpy(&section, place, sizeof section);
    if (section.sh_type != SHT_GNU_verneed) continue;
    section.sh_offset = bytes.size();
    section.sh_size = table.size();
    std::memcpy(place, &section, sizeof section);
  }
  write_file(program, bytes + table, 0755);
  const auto begin = std::chrono::steady_clock::now();
  patch(program, {.interpreter = {}, .search_path = {at("elsewhere").string()}, .needed = {}});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(output(program), "words 1 1\n");
}

TEST_F(ElfPatchTest, can_still_be_stripped_and_changed_after_that) {
  const fs::path program = make_program({"-g"});
  patch(program,
        {.interpreter = long_loader(program), .search_path = {at("elsewhere").string()}, .needed = {}});
  run_checked({.argv = {"strip", program.string()}});
  EXPECT_EQ(output(program), "words 1 1\n");
  patch(program,
        {.interpreter = long_loader(program), .search_path = {"/a", at("elsewhere").string()}, .needed = {}});
  EXPECT_EQ(output(program), "words 1 1\n");
}

TEST_F(ElfPatchTest, refuses_what_it_cannot_change_and_leaves_it_as_it_was) {
  const auto refusal = [&](const std::string& bytes, const ElfChange& change) -> std::string {
    write_file(at("odd"), bytes);
    try {
      patch(at("odd"), change);
    } catch (const Error& error) {
      EXPECT_EQ(read_file(at("odd")), bytes);
      return error.what();
    }
    return "";
  };
  const std::string library = read_file(at("elsewhere/libwords.so"));
  EXPECT_THAT(refusal(library, {.interpreter = "/ld.so", .search_path = {}, .needed = {}}),
              HasSubstr("it has no interpreter"));
  EXPECT_THAT(refusal(library.substr(0, 300), {.interpreter = {}, .search_path = {"/a"}, .needed = {}}),
              HasSubstr("points behind its own end"));
  write_file(at("large.c"), "static char zeros[300 << 20]; int main(void) { return zeros[5]; }");
  compile({"-o", "large", "large.c"});
  EXPECT_THAT(refusal(read_file(at("large")), {.interpreter = {}, .search_path = {"/a"}, .needed = {}}),
              HasSubstr("bytes of zeros"));
}

// A library with a path compiled in, and a program that asks for it.
TEST_F(ElfPatchTest, CodeNamesAnotherTextOfAnyLength) {
#if defined(__x86_64__)
  write_file(at("path.c"),
             "#include <string.h>\nstatic char zeros[1 << 20];\n"
             "const char* path(void) { zeros[5] = 1; return \"/usr/share/words/list\"; }\n"
             "const char* other(void) { return \"/usr/share/words/list/not\"; }\n"
             "unsigned long size(void) { return strlen(path()); }");
  write_file(
      at("ask.c"),
      "#include <stdio.h>\nconst char* path(void); const char* other(void); unsigned long size(void);\n"
      "int main(void) { printf(\"%s %s %lu\\n\", path(), other(), size()); return 0; }");
  compile({"-O0", "-shared", "-fPIC", "-o", "libpath.so", "path.c"});
  compile({"-o", "ask", "ask.c", "./libpath.so"});
  const fs::path library = at("libpath.so");
  EXPECT_THAT(texts_of_elf(open_file(library.string(), O_RDONLY), "/usr/share/"),
              ElementsAre("/usr/share/words/list", "/usr/share/words/list/not"));
  const std::string to = "/nix/store/" + std::string(100, 'x') + "/list";
  patch(library,
        {.interpreter = {}, .search_path = {}, .needed = {}, .texts = {{"/usr/share/words/list", to}}});
  EXPECT_EQ(run({.argv = {"./ask"}, .cwd = work_.path().string()}).out,
            to + " /usr/share/words/list/not " + std::to_string(to.size()) + "\n");
  EXPECT_THROW(
      patch(library,
            {.interpreter = {}, .search_path = {}, .needed = {}, .texts = {{"/usr/share/absent", to}}}),
      Error);
#endif
}

}  // namespace
}  // namespace flox::package
