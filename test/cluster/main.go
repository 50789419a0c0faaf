// Kubernetes in one program: a test cluster's API server, controller manager, scheduler, kubelet, proxy and kubectl, each
// by its own name as first argument ("cluster kubelet --config …") or as the name by which the program is called.
// Debian has none of them, and one program is linked in a fraction of the time of six.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Made only when asked for: some commands read the arguments while they are being made.
var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 kubeletCommand,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

// From some release on it takes a context; both the oldest supported one and the newest (newest/) are built from this file.
func kubeletCommand() *cobra.Command {
	switch make := any(kubelet.NewKubeletCommand).(type) {
	case func() *cobra.Command:
		return make()
	case func(context.Context) *cobra.Command:
		return make(context.Background())
	default:
		panic(fmt.Sprintf("the kubelet's command is made by a %T, which this program does not know", make))
	}
}

func main() {
	name := filepath.Base(os.Args[0])
	if programs[name] == nil && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	make := programs[name]
	if make == nil {
		names := []string{}
		for known := range programs {
			names = append(names, known)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "cluster: %q is none of its programs: %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	if name == "kubectl" {
		if err := cli.RunNoErrOutput(make()); err != nil {
			util.CheckErr(err)
		}
		return
	}
	os.Exit(cli.Run(make()))
}
