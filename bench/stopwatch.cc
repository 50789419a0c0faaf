// Runs a command with its output in a file and prints how long it took, in microseconds. It is started the
// way Go programs start others (vfork), so that the shell's own fork is not measured.
//   stopwatch [-m] OUTPUT COMMAND…     -m: also its largest resident size, in KiB
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <cstring>

extern char** environ;

int main(int argc, char** argv) {
  const bool memory = argc > 1 && std::strcmp(argv[1], "-m") == 0;
  if (memory) {
    --argc;
    ++argv;
  }
  if (argc < 3) {
    std::fputs("usage: stopwatch [-m] OUTPUT COMMAND…\n", stderr);
    return 2;
  }
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t pid = 0;
  const auto begin = std::chrono::steady_clock::now();
  if (int error = posix_spawnp(&pid, argv[2], &files, nullptr, argv + 2, environ); error != 0) {
    std::fprintf(stderr, "stopwatch: %s: %s\n", argv[2], std::strerror(error));
    return 1;
  }
  int status = 0;
  rusage usage{};
  wait4(pid, &status, 0, &usage);
  const auto took = std::chrono::steady_clock::now() - begin;
  if (status != 0) return 1;
  std::printf("%lld",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  if (memory) std::printf(" %ld", usage.ru_maxrss);
  std::puts("");
  return 0;
}
