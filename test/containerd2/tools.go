//go:build tools

// Keeps in go.mod what the suites' own tests import: critest and containerd's client tests are test programs, which
// a tool line cannot name.
package containerd2

import (
	_ "github.com/containerd/containerd/v2/integration/client"
	_ "sigs.k8s.io/cri-tools/pkg/benchmark"
	_ "sigs.k8s.io/cri-tools/pkg/validate"
)
