#include "package/elf.h"

#include <elf.h>
#include <fcntl.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace flox::package {
namespace {

constexpr size_t max_program = size_t{4} << 30;  // bytes: libraries of models have gigabytes

// A view of the file's bytes that refuses to read outside them.
class Image {
 public:
  explicit Image(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  T at(uint64_t offset) const {
    T value;
    std::memcpy(&value, part(offset, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view part(uint64_t offset, uint64_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size)
      fail(ErrorKind::invalid_input, "damaged ELF file: it points behind its own end");
    return std::string_view(bytes_).substr(offset, size);
  }
  std::string text(uint64_t offset) const {
    size_t end = offset < bytes_.size() ? bytes_.find('\0', offset) : std::string::npos;
    if (end == std::string::npos) fail(ErrorKind::invalid_input, "damaged ELF file: a name has no end");
    return bytes_.substr(offset, end - offset);
  }

 private:
  std::string bytes_;
};

std::vector<std::string> split_path(const std::string& text) {
  std::vector<std::string> result;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) result.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

std::vector<Elf64_Phdr> program_headers(const Image& image, const Elf64_Ehdr& header) {
  std::vector<Elf64_Phdr> result;
  for (unsigned i = 0; i < header.e_phnum; ++i)
    result.push_back(image.at<Elf64_Phdr>(header.e_phoff + uint64_t{i} * header.e_phentsize));
  return result;
}

uint64_t file_offset(const std::vector<Elf64_Phdr>& segments, uint64_t address) {
  for (const auto& segment : segments)
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz)
      return segment.p_offset + (address - segment.p_vaddr);
  fail(ErrorKind::invalid_input, "damaged ELF file: address {:#x} is in no segment", address);
}

void read_dynamic(const Image& image, const std::vector<Elf64_Phdr>& segments, const Elf64_Phdr& dynamic,
                  Elf& elf) {
  std::vector<uint64_t> needed;
  std::optional<uint64_t> soname, runpath, rpath, strings;
  for (uint64_t offset = 0; offset + sizeof(Elf64_Dyn) <= dynamic.p_filesz; offset += sizeof(Elf64_Dyn)) {
    auto entry = image.at<Elf64_Dyn>(dynamic.p_offset + offset);
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) needed.push_back(entry.d_un.d_val);
    if (entry.d_tag == DT_SONAME) soname = entry.d_un.d_val;
    if (entry.d_tag == DT_RUNPATH) runpath = entry.d_un.d_val;
    if (entry.d_tag == DT_RPATH) rpath = entry.d_un.d_val;
    if (entry.d_tag == DT_STRTAB) strings = file_offset(segments, entry.d_un.d_ptr);
  }
  if (!strings) return;
  for (uint64_t name : needed) elf.needed.push_back(image.text(*strings + name));
  if (soname) elf.soname = image.text(*strings + *soname);
  if (runpath || rpath) elf.search_path = split_path(image.text(*strings + (runpath ? *runpath : *rpath)));
}

void read_imports(const Image& image, const Elf64_Shdr& symbols, const Elf64_Shdr& strings, Elf& elf) {
  for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols.sh_size; offset += sizeof(Elf64_Sym)) {
    auto symbol = image.at<Elf64_Sym>(symbols.sh_offset + offset);
    if (symbol.st_shndx == SHN_UNDEF && symbol.st_name != 0)
      elf.imports.insert(image.text(strings.sh_offset + symbol.st_name));
  }
}

// [{"soname": ["libcurl.so.4", …], …}, …]: of each entry the first name that the maker prefers.
void read_dlopen_note(std::string_view text, Elf& elf) {
  nlohmann::json entries;
  try {
    entries = parse_json(text.substr(0, text.find('\0')), "note",
                         {.bytes = 1 << 20, .depth = 16, .values = 10'000});
  } catch (const Error&) {  // somebody else's note
  }
  if (!entries.is_array()) return;
  for (const nlohmann::json& entry : entries)
    if (entry.is_object() && entry.contains("soname") && entry["soname"].is_array() &&
        !entry["soname"].empty() && entry["soname"][0].is_string())
      elf.needed_later.push_back(entry["soname"][0]);
}

void read_notes(const Image& image, const Elf64_Shdr& section, Elf& elf) {
  constexpr uint32_t dlopen_type = 0x407c0c0a;
  const uint64_t alignment = section.sh_addralign == 8 ? 8 : 4;
  auto aligned = [&](uint64_t size) { return (size + alignment - 1) / alignment * alignment; };
  for (uint64_t offset = 0; offset + sizeof(Elf64_Nhdr) <= section.sh_size;) {
    const auto header = image.at<Elf64_Nhdr>(section.sh_offset + offset);
    const uint64_t name = section.sh_offset + offset + sizeof header;
    const uint64_t description = name + aligned(header.n_namesz);
    if (header.n_type == dlopen_type && image.part(name, header.n_namesz) == std::string_view("FDO", 4))
      read_dlopen_note(image.part(description, header.n_descsz), elf);
    offset = description + aligned(header.n_descsz) - section.sh_offset;
  }
}

void read_sections(const Image& image, const Elf64_Ehdr& header, Elf& elf) {
  auto section = [&](unsigned index) {
    return image.at<Elf64_Shdr>(header.e_shoff + uint64_t{index} * header.e_shentsize);
  };
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const auto part = section(i);
    if (part.sh_type == SHT_NOTE) read_notes(image, part, elf);
    if (part.sh_type == SHT_DYNSYM) read_imports(image, part, section(part.sh_link), elf);
  }
}

}  // namespace

std::optional<Elf> read_elf(const fs::path& path) {
  {
    Fd fd = open_file(path.string(), O_RDONLY);
    char ident[EI_NIDENT] = {};
    if (read_some(fd.get(), ident, sizeof ident) != sizeof ident ||
        std::memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64 ||
        ident[EI_DATA] != ELFDATA2LSB)
      return std::nullopt;
  }
  return in_context("reading " + path.string(), [&]() -> std::optional<Elf> {
    Image image(read_file(path, max_program));
    auto header = image.at<Elf64_Ehdr>(0);
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return std::nullopt;
    auto segments = program_headers(image, header);
    Elf elf;
    elf.executable = header.e_type == ET_EXEC;
    const Elf64_Phdr* dynamic = nullptr;
    for (const auto& segment : segments) {
      if (segment.p_type == PT_DYNAMIC) dynamic = &segment;
      if (segment.p_type == PT_INTERP) {
        elf.interpreter = image.text(segment.p_offset);
        elf.executable = true;
      }
    }
    if (dynamic == nullptr) return std::nullopt;
    read_dynamic(image, segments, *dynamic, elf);
    read_sections(image, header, elf);
    return elf;
  });
}

}  // namespace flox::package
