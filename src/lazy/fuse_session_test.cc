#include "lazy/fuse_session.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/os/file.h"
#include "lazy/fuse_mount.h"
#include "lazy/mounted_paths.h"
#include "lazy/testing/with_fuse.h"
#include "store/index/nar_index.h"

namespace flox::lazy {
namespace {

namespace fs = std::filesystem;
using store::NarIndex;

// Files whose bytes come when a test says so.
class FakeContents : public Contents {
 public:
  FakeContents(const fs::path& directory, std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (size_t i = 0; i < texts_.size(); ++i) {
      files_.push_back(open_file(directory / std::to_string(i), O_RDWR | O_CREAT | O_EXCL, 0600));
      EXPECT_EQ(ftruncate(files_.back().get(), static_cast<off_t>(texts_[i].size())), 0);
    }
  }
  size_t read(uint32_t file, uint64_t offset, char* buffer, size_t length) const override {
    const ssize_t got = pread(files_[file].get(), buffer, length, static_cast<off_t>(offset));
    return got < 0 ? 0 : static_cast<size_t>(got);
  }
  void want(uint32_t number, uint64_t, uint64_t, Done done) override {
    std::unique_lock lock(mutex_);
    ++wanted_;
    changed_.notify_all();
    if (!present_.contains(number)) {
      waiting_.emplace_back(number, std::move(done));
      return;
    }
    lock.unlock();
    done(0);
  }
  void bring(uint32_t number, int error = 0) {
    std::vector<Done> ready;
    {
      const std::lock_guard lock(mutex_);
      if (error == 0) {
        EXPECT_EQ(pwrite(files_[number].get(), texts_[number].data(), texts_[number].size(), 0),
                  static_cast<ssize_t>(texts_[number].size()));
        present_.insert(number);
      }
      std::erase_if(waiting_, [&](auto& one) {
        if (one.first != number) return false;
        ready.push_back(std::move(one.second));
        return true;
      });
    }
    for (const Done& done : ready) done(error);
  }
  void await_wanted(int count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return wanted_ >= count; }));
  }
  int wanted() {
    const std::lock_guard lock(mutex_);
    return wanted_;
  }

 private:
  std::vector<std::string> texts_;
  std::vector<Fd> files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<uint32_t> present_;
  std::vector<std::pair<uint32_t, Done>> waiting_;
  int wanted_ = 0;
};

NarIndex::Node node(NarIndex::Type type, uint32_t parent, const std::string& name, uint64_t size = 0) {
  return {.type = type, .parent = parent, .name = name, .size = size};
}

// bin/tool (executable), lib/data, link -> lib/data
NarIndex example(const std::string& tool, const std::string& data) {
  using Type = NarIndex::Type;
  NarIndex index;
  index.nodes = {node(Type::directory, 0, ""),
                 node(Type::directory, 0, "bin"),
                 node(Type::executable, 1, "tool", tool.size()),
                 node(Type::directory, 0, "lib"),
                 node(Type::regular, 3, "data", data.size()),
                 node(Type::symlink, 0, "link")};
  index.nodes.back().target = "lib/data";
  return index;
}

NarIndex empty_file() {
  NarIndex index;
  index.nodes = {node(NarIndex::Type::regular, 0, "")};
  return index;
}

class Mounted {
 public:
  explicit Mounted(const fs::path& directory) : at(directory / "mount") {
    fs::create_directory(at);
    mount.emplace(at);
    device = mount->take_device();
    start();
  }
  ~Mounted() { stop(); }
  // Another one than before knows nothing of what that one was asked.
  void start(bool takes_over = false) {
    session = std::make_unique<FuseSession>(Fd(fcntl(device.get(), F_DUPFD_CLOEXEC, 0)), paths);
    if (takes_over) session->take_over();
    for (int i = 0; i < 2; ++i) threads.emplace_back([this] { session->serve(); });
  }
  void stop() {
    if (session) session->stop();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    session.reset();
  }
  fs::path at;
  MountedPaths paths;
  std::optional<FuseMount> mount;
  Fd device;
  std::unique_ptr<FuseSession> session;
  std::vector<std::thread> threads;
};

std::string big_text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 2654435761u >> 13);
  return text;
}

TEST(FuseSessionTest, NamesAreThereBeforeBytes) {
  TempDir dir;
  with_fuse([&] {
    Mounted mounted(dir.path());
    auto contents =
        std::make_shared<FakeContents>(dir.path(), std::vector<std::string>{"#!/bin/sh\n", "hello"});
    mounted.paths.add(
        {"aaa-hello", 1, std::make_shared<PathTree>(example("#!/bin/sh\n", "hello")), contents});
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(mounted.at))
      names.insert(entry.path().lexically_relative(mounted.at));
    EXPECT_EQ(names, (std::set<std::string>{"aaa-hello", "aaa-hello/bin", "aaa-hello/bin/tool",
                                            "aaa-hello/lib", "aaa-hello/lib/data", "aaa-hello/link"}));
    EXPECT_EQ(fs::file_size(mounted.at / "aaa-hello/lib/data"), 5u);
    EXPECT_EQ(fs::read_symlink(mounted.at / "aaa-hello/link"), "lib/data");
    EXPECT_EQ(access((mounted.at / "aaa-hello/bin/tool").c_str(), X_OK), 0);
    EXPECT_FALSE(fs::exists(mounted.at / "aaa-hello/lib/other"));
    EXPECT_FALSE(fs::exists(mounted.at / "bbb-later"));
    EXPECT_EQ(contents->wanted(), 0);
    mounted.paths.add({"bbb-later", 2, std::make_shared<PathTree>(empty_file()), contents});
    EXPECT_TRUE(fs::exists(mounted.at / "bbb-later"));
  });
}

TEST(FuseSessionTest, AReaderWaitsUntilTheBytesAreThereAndHoldsNobodyElseUp) {
  TempDir dir;
  with_fuse([&] {
    Mounted mounted(dir.path());
    const std::string data = big_text(3'000'000);
    auto contents = std::make_shared<FakeContents>(dir.path(), std::vector<std::string>{"tool", data});
    mounted.paths.add({"aaa-x", 1, std::make_shared<PathTree>(example("tool", data)), contents});
    std::vector<std::thread> readers;
    std::atomic<int> right = 0;
    for (int i = 0; i < 50; ++i)
      readers.emplace_back([&] { right += read_file(mounted.at / "aaa-x/lib/data") == data; });
    contents->await_wanted(1);
    contents->bring(0);
    EXPECT_EQ(read_file(mounted.at / "aaa-x/bin/tool"), "tool");
    EXPECT_EQ(right, 0);
    contents->bring(1);
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(right, 50);
  });
}

TEST(FuseSessionTest, AnErrorOfTheSourceIsTheReadersAndNotRemembered) {
  TempDir dir;
  with_fuse([&] {
    Mounted mounted(dir.path());
    auto contents = std::make_shared<FakeContents>(dir.path(), std::vector<std::string>{"tool", "data"});
    mounted.paths.add({"aaa-x", 1, std::make_shared<PathTree>(example("tool", "data")), contents});
    const Fd file = open_file(mounted.at / "aaa-x/lib/data", O_RDONLY);
    std::thread bringer([&] {
      contents->await_wanted(1);
      // The kernel may ask once more, for the page alone.
      for (int i = 0; i < 200; ++i, usleep(10'000)) contents->bring(1, EIO);
    });
    char byte;
    EXPECT_EQ(read(file.get(), &byte, 1), -1);
    EXPECT_EQ(errno, EIO);
    bringer.join();
    contents->bring(1);
    EXPECT_EQ(read(file.get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'd');
  });
}

TEST(FuseSessionTest, AnotherSessionAnswersWhatTheFirstWasAskedAndReadersWaitMeanwhile) {
  TempDir dir;
  with_fuse([&] {
    Mounted mounted(dir.path());
    if (!mounted.mount->can_resend()) GTEST_SKIP() << "needs Linux 6.9";
    const std::string data = big_text(300'000);
    auto contents = std::make_shared<FakeContents>(dir.path(), std::vector<std::string>{"tool", data});
    mounted.paths.add({"aaa-x", 1, std::make_shared<PathTree>(example("tool", data)), contents});
    std::atomic<int> right = 0;
    std::vector<std::thread> readers;
    for (const char* name : {"aaa-x/lib/data", "aaa-x/bin/tool", "aaa-x/lib/data"})
      readers.emplace_back([&, name] {
        const std::string text = read_file(mounted.at / name);
        right += text == data || text == "tool";
      });
    contents->await_wanted(2);
    for (int i = 0; i < 5; ++i) {
      mounted.stop();
      EXPECT_EQ(right, 0);
      mounted.start(true);
    }
    contents->bring(0);
    contents->bring(1);
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(right, 3);
  });
}

TEST(FuseSessionTest, WithoutADeviceReadersFailAndNeverSeeZeros) {
  TempDir dir;
  with_fuse([&] {
    Mounted mounted(dir.path());
    auto contents =
        std::make_shared<FakeContents>(dir.path(), std::vector<std::string>{"tool", big_text(100'000)});
    mounted.paths.add({"aaa-x", 1, std::make_shared<PathTree>(example("tool", big_text(100'000))), contents});
    const Fd file = open_file(mounted.at / "aaa-x/lib/data", O_RDONLY);
    std::atomic<int> error = 0;
    std::thread reader([&] {
      char byte;
      if (read(file.get(), &byte, 1) < 0) error = errno;
    });
    contents->await_wanted(1);
    mounted.stop();
    mounted.device.reset();
    reader.join();
    EXPECT_TRUE(error == ENOTCONN || error == ECONNABORTED || error == EIO) << error;
  });
}

TEST(FuseSessionTest, AnOverlayShowsItBesideWholePaths) {
  TempDir dir;
  with_fuse([&] {
    ASSERT_EQ(mount("tmpfs", dir.path().c_str(), "tmpfs", 0, ""), 0);
    Mounted mounted(dir.path());
    auto contents =
        std::make_shared<FakeContents>(dir.path(), std::vector<std::string>{"#!/bin/sh\nexit 7\n", "data"});
    mounted.paths.add(
        {"aaa-x", 1, std::make_shared<PathTree>(example("#!/bin/sh\nexit 7\n", "data")), contents});
    fs::create_directories(dir.path() / "store/bbb-whole");
    fs::create_directories(dir.path() / "view");
    const std::string options = "lowerdir=" + (dir.path() / "store").string() + ":" + mounted.at.string();
    ASSERT_EQ(mount("overlay", (dir.path() / "view").c_str(), "overlay", MS_RDONLY, options.c_str()), 0)
        << errno;
    contents->bring(0);
    contents->bring(1);
    EXPECT_EQ(read_file(dir.path() / "view/aaa-x/lib/data"), "data");
    EXPECT_TRUE(fs::exists(dir.path() / "view/bbb-whole"));
    EXPECT_EQ(WEXITSTATUS(std::system((dir.path() / "view/aaa-x/bin/tool").c_str())), 7);
    // A mapping is a reader, too.
    const Fd file = open_file(dir.path() / "view/aaa-x/lib/data", O_RDONLY);
    void* map = mmap(nullptr, 4, PROT_READ, MAP_PRIVATE, file.get(), 0);
    ASSERT_NE(map, MAP_FAILED);
    EXPECT_EQ(std::string_view(static_cast<const char*>(map), 4), "data");
    munmap(map, 4);
    umount2((dir.path() / "view").c_str(), MNT_DETACH);
  });
}

}  // namespace
}  // namespace flox::lazy
