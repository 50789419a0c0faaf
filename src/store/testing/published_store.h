// A store with paths, a cache to publish them to, and Debian's Nix to compare with.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/narinfo.h"
#include "store/cache/upload.h"
#include "store/local/local_store.h"
#include "store/testing/nix_programs.h"

namespace flox::store {

class CareTest : public testing::Test {
 protected:
  CareTest() : store_(temp_.path() / "root") {}
  StorePath add(const std::string& name, const std::string& text, const StorePathSet& references = {}) {
    const fs::path tree = temp_.path() / "trees" / name;
    fs::create_directories(tree / "share");
    write_file(tree / "share/text", text);
    write_file(tree / "share/own", name, 0755);
    return store_.add_tree(tree, name, references).path;
  }
  fs::path file(const StorePath& path) const { return store_.real_path(path) / "share/text"; }
  void damage(const fs::path& path, const std::string& text) const {
    // In place, as a disk or a careless program does it: hard links share the damage.
    fs::permissions(path, fs::perms(0644));
    const Fd fd = open_file(path, O_WRONLY | O_TRUNC);
    write_all(fd.get(), text);
    fs::permissions(path, fs::perms(0444));
  }
  static ino_t number(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  }
  Outcome nix(std::vector<std::string> argv, const fs::path& root) const {
    argv.insert(argv.begin() + 1, {"--store", root.string()});
    return run_nix(std::move(argv), temp_.path());
  }
  Outcome copy_with_nix(const std::string& from, const fs::path& to, const StorePath& path) const {
    return run_nix({"nix", "copy", "--from", from, "--to", to.string(), "--option", "trusted-public-keys",
                    key_.public_key().to_string(), path.to_string()},
                   temp_.path());
  }
  std::string cache_url() const { return "file://" + (temp_.path() / "cache").string(); }
  UploadResult upload(const UploadOptions& options, const StorePathSet& closure) {
    return upload_closure(store_, *BinaryCache::open(cache_url()), closure, options);
  }
  nix::NarInfo narinfo(const StorePath& path) const {
    return nix::NarInfo::parse(read_file(temp_.path() / "cache" / (std::string(path.digest()) + ".narinfo")));
  }

  TempDir temp_;
  LocalStore store_;
  nix::SecretKey key_ = nix::SecretKey::generate("test-1");
};

}  // namespace flox::store
