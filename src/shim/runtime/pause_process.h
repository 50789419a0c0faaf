// The pause process of a pod, made without an OCI runtime: it holds the pod's namespaces open and reaps what
// is left to it. Its program (pause.cc) is a part of the shim; the image's own is not used.
//
// It gets less than any sandbox spec would give it: no capability, no file (its root is an empty directory,
// read-only), no device, no new privileges, and a seccomp filter with the seven system calls that its program
// makes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/os/fd.h"
#include "oci/sandbox_spec.h"

namespace flox::shim {

struct PausePlan {
  oci::SandboxSpec spec;
  std::string root;             // an empty directory
  std::vector<Fd> cgroups;      // cgroup.procs files of the cgroup to be in; none: it stays in the shim's
  bool dies_with_shim = false;  // else it lives on, for `delete` to end it
};

// A process that is being made. The two ends say how far it is:
struct PauseProcess {
  pid_t pid = -1;
  Fd report;  // one PauseReport when it is ready or has failed; the end when its program runs
  Fd go;      // a byte here, once it is ready, executes the program
};

struct PauseReport {
  int step = 0;   // 0: ready; else of pause_step_name
  int error = 0;  // errno
};
const char* pause_step_name(int step);

// Starts it as our child. Throws Error if it cannot be cloned or a namespace to be joined cannot be opened.
PauseProcess start_pause_process(const PausePlan& plan);

}  // namespace flox::shim
