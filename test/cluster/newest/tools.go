//go:build tools

// Keeps in go.mod the programs that are built as they are: Kubernetes of the newest release, from the main.go of the oldest
// supported one, two programs of its tests, and its end-to-end tests.
package newest

import (
	_ "flox.dev/imageless/test/cluster"
	_ "github.com/onsi/ginkgo/v2/ginkgo"
	_ "k8s.io/kubernetes/test/e2e"
	_ "k8s.io/kubernetes/test/e2e/dra/test-driver"
	_ "k8s.io/kubernetes/test/images/agnhost"
)
