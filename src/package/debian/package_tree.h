// The files that a program has around it: those of its package and of all that it depends on, each package in
// a store path of its own, put together as Debian would have them below /usr.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "nix/store_path.h"
#include "package/debian/import_rules.h"

namespace flox::package {

// One Debian package.
struct Piece {
  std::string name;             // of the package
  nix::StorePath path;          // which has its files at their places
  std::filesystem::path files;  // where that is on this machine
};

class PackageTree {
 public:
  struct Entry {
    enum class Kind {
      file,    // as its piece has it
      link,    // to `target`, relative
      script,  // a program that an interpreter runs; its piece has it without the permission to execute it
      copy,    // of the piece's file
      text,    // a file with `content`
    };
    Kind kind = Kind::file;
    size_t piece = 0;
    std::string target;
    std::string content;
  };
  using Entries = std::map<std::string, Entry>;  // by place

  // Reads the pieces, whose first has the last word about a place. Throws Error for more than a million
  // files.
  explicit PackageTree(std::vector<Piece> pieces);

  // Does what the rules say of links, files and copies; then leaves links out that lead nowhere.
  void apply(const ImportRules& rules);

  const std::vector<Piece>& pieces() const noexcept { return pieces_; }
  const Entries& entries() const noexcept { return entries_; }
  // The place of the file or directory that a place leads to, whatever links there are; nothing if none. ""
  // is the tree itself.
  std::optional<std::string> resolve(std::string_view place) const;
  bool is_directory(std::string_view resolved) const;
  // The places of files and directories that match a pattern, sorted.
  std::vector<std::string> matching(std::string_view pattern) const;
  // The text with every path below /usr (or /bin, /lib, /sbin) that the tree has as one below `directory`.
  std::string rewritten(std::string_view text, std::string_view directory) const;

 private:
  void read_piece(size_t index);
  void add_links(const ImportRules& rules);
  void add_files(const ImportRules& rules);
  void drop_dangling_links();

  std::vector<Piece> pieces_;
  Entries entries_;
  std::set<std::string, std::less<>> directories_;
};

// The interpreter that a script's first line names, as a place in a tree: "#!/bin/sh -e" → "bin/sh",
// "#!/usr/bin/env perl" → "bin/perl". Empty if it names none.
std::string interpreter_place(std::string_view first_line);

// The file of a piece that lists its scripts, one place a line, sorted.
inline constexpr std::string_view scripts_place = "nix-support/scripts";

}  // namespace flox::package
