#include "package/elf_patch.h"

#include <elf.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox::package {
namespace {

constexpr uint64_t max_strings = 512 << 20;  // bytes of names, as read_elf() has it
constexpr uint64_t max_zeros = 256 << 20;    // bytes of .bss that become part of the file
constexpr uint64_t max_file = uint64_t{1} << 40;
constexpr size_t max_names = 16 << 20;  // that are in use; the largest program has a tenth of them
constexpr uint64_t page = 4096;
constexpr uint64_t max_data = 1 << 30;    // bytes of a segment that is searched for texts
constexpr size_t max_text_places = 1000;  // at which code names a text
constexpr size_t max_found_texts = 1000;
constexpr size_t longest_text = 4096;  // bytes
constexpr size_t piece_size = 1 << 20;

[[noreturn]] void unfit(std::string_view why) {
  fail(ErrorKind::invalid_input, "this ELF file cannot be changed: {}", why);
}

uint64_t aligned(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

// The file's bytes, by position.
class Bytes {
 public:
  explicit Bytes(int fd) : fd_(fd) {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) fail_errno(errno, "reading its size");
    size_ = static_cast<uint64_t>(status.st_size);
    if (size_ > max_file) unfit("it is too large");
  }
  uint64_t size() const noexcept { return size_; }

  std::string read(uint64_t offset, uint64_t size) const {
    if (offset > size_ || size_ - offset < size) unfit("it points behind its own end");
    std::string bytes(size, '\0');
    if (read_at(fd_, bytes.data(), size, offset) < size) unfit("it became shorter");
    return bytes;
  }
  void write(uint64_t offset, std::string_view bytes) const { write_all_at(fd_, bytes, offset); }
  template <typename T>
  std::vector<T> table(uint64_t offset, uint64_t count) const {
    const std::string bytes = read(offset, count * sizeof(T));
    std::vector<T> result(count);
    if (count > 0) std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
  template <typename T>
  void write_table(uint64_t offset, const std::vector<T>& table) const {
    write(offset, std::string_view(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(T)));
  }
  void zero(uint64_t offset, uint64_t size) const {
    const std::string zeros(piece_size, '\0');
    for (; size > 0; size -= std::min<uint64_t>(size, piece_size), offset += piece_size)
      write(offset, std::string_view(zeros).substr(0, std::min<uint64_t>(size, piece_size)));
  }
  // Moves everything from `offset` on `distance` bytes towards the end.
  void make_room(uint64_t offset, uint64_t distance) {
    for (uint64_t end = size_; end > offset;) {
      const uint64_t begin = end - std::min<uint64_t>(end - offset, piece_size);
      write(begin + distance, read(begin, end - begin));
      end = begin;
    }
    if (::ftruncate(fd_, static_cast<off_t>(size_ + distance)) != 0) fail_errno(errno, "lengthening it");
    size_ += distance;
    zero(offset, distance);
  }

 private:
  int fd_;
  uint64_t size_ = 0;
};

bool is_string_tag(int64_t tag) {
  return tag == DT_NEEDED || tag == DT_SONAME || tag == DT_AUXILIARY || tag == DT_FILTER || tag == DT_AUDIT ||
         tag == DT_DEPAUDIT || tag == DT_CONFIG;
}

class Patcher {
 public:
  Patcher(int fd, const ElfChange& change) : bytes_(fd), change_(change) {}

  void run() {
    read_headers();
    read_dynamic();
    change_interpreter();
    change_dynamic();
    change_texts();
    if (!added_.empty()) grow();
    write();
  }

  std::vector<std::string> texts(std::string_view prefix) {
    read_headers();
    std::set<std::string> found;
    for (const auto& segment : segments_) {
      if (segment.p_type != PT_LOAD || (segment.p_flags & (PF_X | PF_W)) != 0) continue;
      const std::string data = data_of(segment);
      for (size_t at = data.find(prefix); at != std::string::npos; at = data.find(prefix, at + 1)) {
        const size_t end = data.find('\0', at);
        const bool is_whole = (at == 0 || data[at - 1] == '\0') && end != std::string::npos;
        if (!is_whole || end - at > longest_text) continue;
        found.insert(data.substr(at, end - at));
        if (found.size() > max_found_texts) unfit("it has too many texts");
      }
    }
    return {found.begin(), found.end()};
  }

 private:
  // Something that no longer fits where it is: bytes for the end of the last segment, and what is to be told
  // where they went.
  struct Added {
    std::string bytes;
    uint64_t old_address;
    uint64_t address = 0, offset = 0;
    bool is_text = false;  // which code names
  };

  void read_headers() {
    header_ = bytes_.table<Elf64_Ehdr>(0, 1).front();
    if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0 || header_.e_ident[EI_CLASS] != ELFCLASS64 ||
        header_.e_ident[EI_DATA] != ELFDATA2LSB)
      unfit("it is not a 64-bit little-endian program");
    if (header_.e_phnum > 0 && header_.e_phentsize != sizeof(Elf64_Phdr))
      unfit("its segments have odd sizes");
    if (header_.e_shnum > 0 && header_.e_shentsize != sizeof(Elf64_Shdr))
      unfit("its sections have odd sizes");
    segments_ = bytes_.table<Elf64_Phdr>(header_.e_phoff, header_.e_phnum);
    sections_ = bytes_.table<Elf64_Shdr>(header_.e_shoff, header_.e_shnum);
    for (const auto& segment : segments_) {
      if (segment.p_offset > bytes_.size() || bytes_.size() - segment.p_offset < segment.p_filesz)
        unfit("a segment ends behind the file");
      if (segment.p_vaddr > max_file << 8 || segment.p_memsz > max_file)
        unfit("a segment has no sane address");
      if (segment.p_type == PT_LOAD && segment.p_memsz < segment.p_filesz)
        unfit("a segment is smaller in memory than in the file");
    }
    for (size_t i = 0; i < segments_.size(); ++i) {
      auto& segment = segments_[i];
      if (segment.p_type == PT_LOAD &&
          (last_ == nullptr || segment.p_vaddr + segment.p_memsz > last_->p_vaddr + last_->p_memsz))
        last_ = &segment;
      if (segment.p_type == PT_DYNAMIC) dynamic_ = &segment;
      if (segment.p_type == PT_INTERP) interpreter_ = &segment;
    }
    if (last_ == nullptr || dynamic_ == nullptr) unfit("it is not dynamically linked");
  }

  // In the file, of `size` bytes at that address.
  uint64_t offset_of(uint64_t address, uint64_t size) const {
    for (const auto& segment : segments_)
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
          address - segment.p_vaddr <= segment.p_filesz &&
          segment.p_filesz - (address - segment.p_vaddr) >= size)
        return segment.p_offset + (address - segment.p_vaddr);
    unfit(fmt::format("address {:#x} is in no segment", address));
  }

  void read_dynamic() {
    const uint64_t count = dynamic_->p_filesz / sizeof(Elf64_Dyn);
    entries_ = bytes_.table<Elf64_Dyn>(dynamic_->p_offset, count);
    room_ = entries_.size();
    const auto end = std::ranges::find(entries_, int64_t{DT_NULL},
                                       [](const Elf64_Dyn& entry) -> int64_t { return entry.d_tag; });
    entries_.erase(end, entries_.end());  // some linkers leave the end out, since zeros follow
    std::optional<uint64_t> strings, size;
    for (const auto& entry : entries_) {
      if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
      if (entry.d_tag == DT_STRSZ) size = entry.d_un.d_val;
    }
    if (!strings || !size || *size == 0 || *size > max_strings) unfit("its dynamic section names no strings");
    strings_address_ = *strings;
    strings_offset_ = offset_of(*strings, *size);
    strings_ = bytes_.read(strings_offset_, *size);
    if (strings_.back() != '\0') unfit("its last name has no end");
  }

  void change_interpreter() {
    if (change_.interpreter.empty()) return;
    if (interpreter_ == nullptr) unfit("it has no interpreter");
    std::string text = change_.interpreter + '\0';
    const uint64_t room = interpreter_->p_filesz;
    if (text.size() > room) {
      added_.push_back({.bytes = std::move(text), .old_address = interpreter_->p_vaddr});
      moved_interpreter_ = added_.size();
      return;
    }
    new_interpreter_ = text + std::string(room - text.size(), '\0');
    interpreter_->p_filesz = interpreter_->p_memsz = text.size();
    if (Elf64_Shdr* section = section_at(interpreter_->p_vaddr)) section->sh_size = text.size();
  }

  void change_dynamic() {
    const bool has_path = std::ranges::any_of(
        entries_, [](const auto& entry) { return entry.d_tag == DT_RUNPATH || entry.d_tag == DT_RPATH; });
    if (!has_path && change_.search_path.empty() && change_.needed.empty()) return;
    const std::string before = strings_;
    forget_search_paths();
    if (!change_.search_path.empty())
      add_entry(DT_RUNPATH, fmt::format("{}", fmt::join(change_.search_path, ":")), entries_.size());
    for (const std::string& name : change_.needed) {
      size_t at = 0;
      for (size_t i = 0; i < entries_.size(); ++i)
        if (entries_[i].d_tag == DT_NEEDED) at = i + 1;
      add_entry(DT_NEEDED, name, at);
    }
    strings_changed_ = strings_ != before;
    if (strings_.size() > before.size()) {
      old_strings_size_ = before.size();
      added_.push_back({.bytes = strings_, .old_address = strings_address_});
      moved_strings_ = added_.size();
    }
    if (entries_.size() + 1 > room_) {
      added_.push_back({.bytes = std::string((entries_.size() + 1) * sizeof(Elf64_Dyn), '\0'),
                        .old_address = dynamic_->p_vaddr});
      moved_dynamic_ = added_.size();
    }
    dynamic_changed_ = true;
  }

  void add_entry(int64_t tag, const std::string& text, size_t at) {
    Elf64_Dyn entry{};
    entry.d_tag = tag;
    entry.d_un.d_val = strings_.size();
    strings_ += text + '\0';
    entries_.insert(entries_.begin() + static_cast<ptrdiff_t>(at), entry);
  }

  // Takes the entries out, and their text as far as nothing else is part of it: linkers give the end of a
  // string to others.
  void forget_search_paths() {
    std::vector<uint64_t> forgotten;
    std::erase_if(entries_, [&](const Elf64_Dyn& entry) {
      if (entry.d_tag != DT_RUNPATH && entry.d_tag != DT_RPATH) return false;
      forgotten.push_back(entry.d_un.d_val);
      return true;
    });
    if (forgotten.empty()) return;
    const std::optional<std::vector<uint64_t>> used = names_in_use();
    for (const uint64_t begin : forgotten) {
      if (begin >= strings_.size() || !used) continue;
      uint64_t end = strings_.find('\0', begin);
      const auto next = std::ranges::lower_bound(*used, begin);
      if (next != used->end()) end = std::min(end, *next);
      std::fill(strings_.begin() + static_cast<ptrdiff_t>(begin),
                strings_.begin() + static_cast<ptrdiff_t>(end), '\0');
    }
  }

  // Where names begin that symbols, versions and the dynamic section use, sorted. Nothing if that is not
  // known: the program has no section headers, or they lie.
  std::optional<std::vector<uint64_t>> names_in_use() const {
    std::vector<uint64_t> used;
    std::set<uint32_t> seen;  // the gABI has one table of each kind; thousands could name the same bytes
    bool has_symbols = false;
    for (const auto& entry : entries_)
      if (is_string_tag(entry.d_tag)) used.push_back(entry.d_un.d_val);
    for (const auto& section : sections_) {
      const bool symbols = section.sh_type == SHT_DYNSYM;
      if (!symbols && section.sh_type != SHT_GNU_verneed && section.sh_type != SHT_GNU_verdef) continue;
      if (!seen.insert(section.sh_type).second || section.sh_size > max_strings ||
          section.sh_offset > bytes_.size() || bytes_.size() - section.sh_offset < section.sh_size)
        return std::nullopt;
      has_symbols = has_symbols || symbols;
      const std::string table = bytes_.read(section.sh_offset, section.sh_size);
      if (symbols)
        for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.size(); at += sizeof(Elf64_Sym))
          used.push_back(part_of<Elf64_Sym>(table, at)->st_name);
      else if (section.sh_type == SHT_GNU_verneed)
        add_needed_versions(table, used);
      else
        add_defined_versions(table, used);
    }
    if (!has_symbols || used.size() > max_names) return std::nullopt;
    std::ranges::sort(used);
    return used;
  }
  template <typename T>
  static std::optional<T> part_of(const std::string& table, uint64_t at) {
    if (at > table.size() || table.size() - at < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, table.data() + at, sizeof value);
    return value;
  }
  // Both are lists of lists. Lists may overlap, so all of them together have an end of their own.
  static void add_needed_versions(const std::string& table, std::vector<uint64_t>& used) {
    for (uint64_t at = 0; used.size() <= max_names;) {
      const auto file = part_of<Elf64_Verneed>(table, at);
      if (!file) return;
      used.push_back(file->vn_file);
      uint64_t version_at = at + file->vn_aux;
      for (unsigned left = file->vn_cnt; left > 0 && used.size() <= max_names; --left) {
        const auto version = part_of<Elf64_Vernaux>(table, version_at);
        if (!version) break;
        used.push_back(version->vna_name);
        version_at += version->vna_next;
      }
      if (file->vn_next == 0) return;
      at += file->vn_next;
    }
  }
  static void add_defined_versions(const std::string& table, std::vector<uint64_t>& used) {
    for (uint64_t at = 0; used.size() <= max_names;) {
      const auto version = part_of<Elf64_Verdef>(table, at);
      if (!version) return;
      uint64_t name_at = at + version->vd_aux;
      for (unsigned left = version->vd_cnt; left > 0 && used.size() <= max_names; --left) {
        const auto name = part_of<Elf64_Verdaux>(table, name_at);
        if (!name) break;
        used.push_back(name->vda_name);
        name_at += name->vda_next;
      }
      if (version->vd_next == 0) return;
      at += version->vd_next;
    }
  }

  std::string data_of(const Elf64_Phdr& segment) const {
    if (segment.p_filesz > max_data) unfit("a segment is too large");
    return bytes_.read(segment.p_offset, segment.p_filesz);
  }

  // A place in the code that computes the address of a text: the last four bytes of a LEA.
  struct TextPlace {
    size_t added;  // which of added_
    uint64_t offset, next_address;
  };

  void change_texts() {
    if (change_.texts.empty()) return;
    if (header_.e_machine != EM_X86_64) unfit("texts are changed in code for x86-64 only");
    std::map<uint64_t, size_t> wanted;  // address of the text that is there → which of added_
    for (const auto& [from, to] : change_.texts) {
      const std::string text = from + '\0';  // compilers may give it the end of another one
      added_.push_back({.bytes = to + '\0', .old_address = 0, .is_text = true});
      for (const auto& segment : segments_) {
        if (segment.p_type != PT_LOAD || (segment.p_flags & (PF_X | PF_W)) != 0) continue;
        const std::string data = data_of(segment);
        for (size_t at = data.find(text); at != std::string::npos; at = data.find(text, at + 1))
          wanted.emplace(segment.p_vaddr + at, added_.size() - 1);
      }
    }
    std::set<size_t> named;
    for (const auto& segment : segments_)
      if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0)
        for (const TextPlace& place : places_naming(wanted, segment)) {
          named.insert(place.added);
          text_places_.push_back(place);
        }
    if (named.size() != change_.texts.size())
      unfit("its code does not name one of the texts as compilers do");
  }

  // LEA of a register of 64 bits, relative to the next instruction (Intel's manual, volume 2: REX.W 8D /r, of
  // mod 00 and r/m 101).
  std::vector<TextPlace> places_naming(const std::map<uint64_t, size_t>& wanted,
                                       const Elf64_Phdr& segment) const {
    const std::string code = data_of(segment);
    std::vector<TextPlace> places;
    for (size_t at = 0; at + 7 <= code.size(); ++at) {
      const auto byte = [&](size_t i) { return static_cast<unsigned char>(code[at + i]); };
      if ((byte(0) & 0xFB) != 0x48 || byte(1) != 0x8D || (byte(2) & 0xC7) != 0x05) continue;
      int32_t distance = 0;
      std::memcpy(&distance, code.data() + at + 3, sizeof distance);
      const uint64_t next = segment.p_vaddr + at + 7;
      const auto found = wanted.find(next + static_cast<uint64_t>(int64_t{distance}));
      if (found == wanted.end()) continue;
      if (places.size() == max_text_places) unfit("its code names a text too often");
      places.push_back({.added = found->second, .offset = segment.p_offset + at + 3, .next_address = next});
    }
    return places;
  }

  void write_text_places() const {
    for (const TextPlace& place : text_places_) {
      const auto distance = static_cast<int64_t>(added_[place.added].address - place.next_address);
      const auto field = static_cast<int32_t>(distance);
      if (field != distance) unfit("its segments are too far from each other");
      const uint64_t offset = place.offset >= cut_ ? place.offset + shift_ : place.offset;
      bytes_.write(offset, std::string_view(reinterpret_cast<const char*>(&field), sizeof field));
    }
  }

  // Lengthens the last segment by what was added.
  void grow() {
    const uint64_t cut = last_->p_offset + last_->p_filesz;
    const uint64_t zeros = last_->p_memsz - last_->p_filesz;
    if (zeros > max_zeros)
      unfit(fmt::format(
          "its last segment ends with {} bytes of zeros, of which at most {} can become part of the file",
          zeros, max_zeros));
    if (header_.e_phoff >= cut) unfit("its table of segments stands behind its last segment");
    if (moved_dynamic_ != 0 && (last_->p_flags & PF_W) == 0) {
      if ((last_->p_flags & PF_X) != 0) unfit("its last segment is code, which nobody may write to");
      last_->p_flags |= PF_W;  // the loader writes into the dynamic section
    }
    uint64_t address = last_->p_vaddr + last_->p_memsz;
    for (Added& added : added_) {
      address = aligned(address, 16);
      added.address = address;
      added.offset = last_->p_offset + (address - last_->p_vaddr);
      address += added.bytes.size();
    }
    // Zeros to the end of the page: the heap may begin there, and malloc takes it for zeros.
    address = aligned(address, page);
    const uint64_t end = last_->p_offset + (address - last_->p_vaddr);
    shift_ = aligned(end - cut, alignment_behind(cut));
    cut_ = cut;
    if (strings_offset_ >= cut) strings_offset_ += shift_;

    for (auto& segment : segments_) {
      if (&segment == last_ || segment.p_filesz == 0) continue;
      if (segment.p_offset >= cut)
        segment.p_offset += shift_;
      else if (segment.p_offset + segment.p_filesz > cut)
        unfit("another segment overlaps its last one in the file");
    }
    for (auto& section : sections_) shift(section, cut);
    if (header_.e_shoff >= cut)
      header_.e_shoff += shift_;
    else if (!sections_.empty() && header_.e_shoff + sections_.size() * sizeof(Elf64_Shdr) > cut)
      unfit("its section headers overlap its last segment");
    last_->p_filesz = last_->p_memsz = address - last_->p_vaddr;
  }

  // What stands behind `cut` in the file may move by multiples of this.
  uint64_t alignment_behind(uint64_t cut) const {
    uint64_t alignment = 64;  // of sections that nothing maps
    for (const auto& segment : segments_)
      if (segment.p_type == PT_LOAD && segment.p_offset >= cut && segment.p_filesz > 0)
        alignment = std::max({alignment, segment.p_align, page});
    if (alignment > (1 << 24) || (alignment & (alignment - 1)) != 0) unfit("a segment has an odd alignment");
    return alignment;
  }

  void shift(Elf64_Shdr& section, uint64_t cut) {
    if (section.sh_type == SHT_NULL) return;
    if (section.sh_type == SHT_NOBITS) {
      const bool inside = (section.sh_flags & SHF_ALLOC) != 0 && (section.sh_flags & SHF_TLS) == 0 &&
                          section.sh_addr >= last_->p_vaddr &&
                          section.sh_addr - last_->p_vaddr <= last_->p_memsz;
      if (!inside) return;
      section.sh_type = SHT_PROGBITS;  // its zeros are in the file now
      section.sh_offset = last_->p_offset + (section.sh_addr - last_->p_vaddr);
    } else if (section.sh_offset >= cut) {
      section.sh_offset += shift_;
    } else if (section.sh_size > cut - section.sh_offset) {
      unfit("a section overlaps its last segment's end");
    }
  }

  // The section that begins at that address.
  Elf64_Shdr* section_at(uint64_t address) {
    for (auto& section : sections_)
      if (section.sh_addr == address && (section.sh_flags & SHF_ALLOC) != 0 && section.sh_size > 0 &&
          section.sh_type != SHT_NOBITS)
        return &section;
    return nullptr;
  }

  void write() {
    const uint64_t old_interpreter = interpreter_ == nullptr ? 0 : interpreter_->p_offset;
    const uint64_t old_interpreter_size = interpreter_ == nullptr ? 0 : interpreter_->p_filesz;
    if (shift_ > 0) bytes_.make_room(cut_, shift_);
    if (!new_interpreter_.empty()) bytes_.write(interpreter_->p_offset, new_interpreter_);
    if (moved_strings_ == 0 && strings_changed_) bytes_.write(strings_offset_, strings_);
    for (size_t i = 0; i < added_.size(); ++i) place(added_[i], i + 1);
    write_text_places();
    if (moved_interpreter_ != 0) bytes_.zero(old_interpreter, old_interpreter_size);
    if (moved_strings_ != 0) bytes_.zero(strings_offset_, old_strings_size_);
    if (dynamic_changed_) write_dynamic();
    bytes_.write_table(header_.e_phoff, segments_);
    bytes_.write_table(header_.e_shoff, sections_);
    bytes_.write_table<Elf64_Ehdr>(0, {header_});
  }

  void place(const Added& added, size_t number) {
    bytes_.write(added.offset, added.bytes);
    if (added.is_text) return;
    if (Elf64_Shdr* section = section_at(added.old_address)) {
      section->sh_addr = added.address;
      section->sh_offset = added.offset;
      section->sh_size = added.bytes.size();
    }
    if (number == moved_strings_) {
      for (auto& entry : entries_)
        if (entry.d_tag == DT_STRTAB) entry.d_un.d_ptr = added.address;
      for (auto& entry : entries_)
        if (entry.d_tag == DT_STRSZ) entry.d_un.d_val = added.bytes.size();
      return;
    }
    Elf64_Phdr& segment = number == moved_interpreter_ ? *interpreter_ : *dynamic_;
    segment.p_offset = added.offset;
    segment.p_vaddr = segment.p_paddr = added.address;
    segment.p_filesz = segment.p_memsz = added.bytes.size();
  }

  void write_dynamic() {
    entries_.resize(std::max<size_t>(moved_dynamic_ != 0 ? entries_.size() + 1 : room_, entries_.size()));
    bytes_.write_table(dynamic_->p_offset, entries_);
  }

  Bytes bytes_;
  const ElfChange& change_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
  Elf64_Phdr* last_ = nullptr;  // the loadable segment that is last in memory
  Elf64_Phdr* dynamic_ = nullptr;
  Elf64_Phdr* interpreter_ = nullptr;
  std::vector<Elf64_Dyn> entries_;  // without the end
  size_t room_ = 0;                 // entries that the dynamic section has room for, with the end
  std::string strings_;
  uint64_t strings_address_ = 0, strings_offset_ = 0, old_strings_size_ = 0;
  bool strings_changed_ = false, dynamic_changed_ = false;
  std::string new_interpreter_;  // that fits where the old one was
  std::vector<Added> added_;
  std::vector<TextPlace> text_places_;
  size_t moved_interpreter_ = 0, moved_strings_ = 0, moved_dynamic_ = 0;  // which of added_, from 1; 0: none
  uint64_t cut_ = 0, shift_ = 0;  // what stands behind `cut` in the file moves so far
};

}  // namespace

void patch_elf(const Fd& file, const ElfChange& change) { Patcher(file.get(), change).run(); }

std::vector<std::string> texts_of_elf(const Fd& file, std::string_view prefix) {
  return Patcher(file.get(), {}).texts(prefix);
}

}  // namespace flox::package
