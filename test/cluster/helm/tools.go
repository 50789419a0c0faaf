//go:build tools

// Keeps in go.mod the program that is built as it is.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
