#include "package/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/fd.h"

namespace flox::package {
namespace {

constexpr uint64_t max_piece = 512 << 20;  // bytes of one table: names of models' libraries have 100 MB

[[noreturn]] void damaged(std::string_view why) {
  fail(ErrorKind::invalid_input, "damaged ELF file: {}", why);
}

// A part of the file, which refuses to be read outside its bytes.
class Piece {
 public:
  explicit Piece(std::string bytes) : bytes_(std::move(bytes)) {}

  uint64_t size() const noexcept { return bytes_.size(); }
  template <typename T>
  T at(uint64_t offset) const {
    T value;
    std::memcpy(&value, part(offset, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view part(uint64_t offset, uint64_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) damaged("a table points behind its own end");
    return std::string_view(bytes_).substr(offset, size);
  }
  std::string text(uint64_t offset) const {
    const size_t end = offset < bytes_.size() ? bytes_.find('\0', offset) : std::string::npos;
    if (end == std::string::npos) damaged("a name has no end");
    return bytes_.substr(offset, end - offset);
  }

 private:
  std::string bytes_;
};

// The file, of which only what is asked for is read.
class Image {
 public:
  explicit Image(Fd fd) : fd_(std::move(fd)) {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) fail_errno(errno, "reading its size");
    size_ = static_cast<uint64_t>(status.st_size);
  }

  Piece piece(uint64_t offset, uint64_t size) const {
    if (offset > size_ || size_ - offset < size) damaged("it points behind its own end");
    if (size > max_piece) damaged(fmt::format("a table has more than {} bytes", max_piece));
    std::string bytes(size, '\0');
    if (read_at(fd_.get(), bytes.data(), size, offset) < size) damaged("it became shorter");
    return Piece(std::move(bytes));
  }
  template <typename T>
  std::vector<T> table(uint64_t offset, uint64_t count, uint64_t entry_size) const {
    std::vector<T> result;
    if (count == 0) return result;
    if (entry_size < sizeof(T)) damaged("the entries of a table are too small");
    const Piece bytes = piece(offset, count * entry_size);
    for (uint64_t i = 0; i < count; ++i) result.push_back(bytes.at<T>(i * entry_size));
    return result;
  }

 private:
  Fd fd_;
  uint64_t size_ = 0;
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
  std::optional<uint64_t> soname, runpath, rpath, strings, strings_size;
  const uint64_t entries = dynamic.p_filesz / sizeof(Elf64_Dyn);
  for (const auto& entry : image.table<Elf64_Dyn>(dynamic.p_offset, entries, sizeof(Elf64_Dyn))) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) needed.push_back(entry.d_un.d_val);
    if (entry.d_tag == DT_SONAME) soname = entry.d_un.d_val;
    if (entry.d_tag == DT_RUNPATH) runpath = entry.d_un.d_val;
    if (entry.d_tag == DT_RPATH) rpath = entry.d_un.d_val;
    if (entry.d_tag == DT_STRTAB) strings = file_offset(segments, entry.d_un.d_ptr);
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
  }
  if (!strings || !strings_size) return;
  const Piece names = image.piece(*strings, *strings_size);
  for (uint64_t name : needed) elf.needed.push_back(names.text(name));
  if (soname) elf.soname = names.text(*soname);
  if (runpath || rpath) elf.search_path = split_path(names.text(runpath ? *runpath : *rpath));
}

void read_imports(const Image& image, const Elf64_Shdr& symbols, const Elf64_Shdr& strings, Elf& elf) {
  const Piece names = image.piece(strings.sh_offset, strings.sh_size);
  const Piece table = image.piece(symbols.sh_offset, symbols.sh_size);
  for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.size(); at += sizeof(Elf64_Sym)) {
    const auto symbol = table.at<Elf64_Sym>(at);
    if (symbol.st_shndx == SHN_UNDEF && symbol.st_name != 0) elf.imports.insert(names.text(symbol.st_name));
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
  const auto aligned = [&](uint64_t size) { return (size + alignment - 1) / alignment * alignment; };
  const Piece notes = image.piece(section.sh_offset, section.sh_size);
  for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= notes.size();) {
    const auto header = notes.at<Elf64_Nhdr>(at);
    const uint64_t name = at + sizeof header;
    const uint64_t description = name + aligned(header.n_namesz);
    if (header.n_type == dlopen_type && notes.part(name, header.n_namesz) == std::string_view("FDO", 4))
      read_dlopen_note(notes.part(description, header.n_descsz), elf);
    at = description + aligned(header.n_descsz);
  }
}

// The gABI allows one table of dynamic symbols; what notes together may have is bounded, too: thousands of
// sections could name the same bytes.
void read_sections(const Image& image, const Elf64_Ehdr& header, Elf& elf) {
  constexpr uint64_t max_notes = 16 << 20;  // bytes
  const auto sections = image.table<Elf64_Shdr>(header.e_shoff, header.e_shnum, header.e_shentsize);
  uint64_t notes = 0;
  bool has_symbols = false;
  for (const auto& section : sections) {
    if (section.sh_type == SHT_NOTE) {
      notes += std::min(section.sh_size, max_notes + 1);
      if (notes > max_notes) damaged("its notes are too large");
      read_notes(image, section, elf);
    }
    if (section.sh_type == SHT_DYNSYM) {
      if (std::exchange(has_symbols, true)) damaged("it has two tables of dynamic symbols");
      if (section.sh_link >= sections.size()) damaged("its dynamic symbols have no names");
      read_imports(image, section, sections[section.sh_link], elf);
    }
  }
}

}  // namespace

std::optional<Elf> read_elf(const std::filesystem::path& path) {
  Fd fd = open_file(path.string(), O_RDONLY);
  char ident[EI_NIDENT] = {};
  if (read_some(fd.get(), ident, sizeof ident) != sizeof ident || std::memcmp(ident, ELFMAG, SELFMAG) != 0 ||
      ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
    return std::nullopt;
  return in_context("reading " + path.string(), [&]() -> std::optional<Elf> {
    const Image image(std::move(fd));
    const auto header = image.piece(0, sizeof(Elf64_Ehdr)).at<Elf64_Ehdr>(0);
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return std::nullopt;
    const auto segments = image.table<Elf64_Phdr>(header.e_phoff, header.e_phnum, header.e_phentsize);
    Elf elf;
    elf.executable = header.e_type == ET_EXEC;
    const Elf64_Phdr* dynamic = nullptr;
    for (const auto& segment : segments) {
      if (segment.p_type == PT_DYNAMIC) dynamic = &segment;
      if (segment.p_type == PT_INTERP) {
        elf.interpreter = image.piece(segment.p_offset, segment.p_filesz).text(0);
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
