// The process of a pod's sandbox: holds its namespaces open until it is told to end, and reaps what is
// re-parented to it when the pod shares one pid namespace. Without a C++ runtime in it, since every pod has
// one.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc > 1 && argv[1][0] == '-' && argv[1][1] == 'v') {
    static const char version[] = "flox-pause " FLOX_VERSION "\n";
    return write(STDOUT_FILENO, version, sizeof version - 1) < 0;
  }
  sigset_t waited;
  sigemptyset(&waited);
  sigaddset(&waited, SIGTERM);
  sigaddset(&waited, SIGINT);
  sigaddset(&waited, SIGCHLD);
  sigprocmask(SIG_BLOCK, &waited, nullptr);
  for (;;) {
    int signal = 0;
    if (sigwait(&waited, &signal) != 0) continue;
    if (signal != SIGCHLD) return 0;
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}
