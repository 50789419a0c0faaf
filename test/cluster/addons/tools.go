//go:build tools

// Keeps in go.mod the program that is built as it is.
package addons

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
