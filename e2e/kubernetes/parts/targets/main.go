// targets tells Prometheus which pods to ask: Debian's build of it cannot watch an API server, but it can ask an HTTP
// server for its targets (http_sd). Every pod that has an address, runs, and says so by the annotation
// prometheus.io/scrape is one; its port and path are those of prometheus.io/port and prometheus.io/path.
//
// usage: targets KUBECONFIG ADDRESS
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

var unfit = regexp.MustCompile(`[^a-zA-Z0-9_]`)

func target(pod *core.Pod) (group, bool) {
	notes := pod.Annotations
	port := notes["prometheus.io/port"]
	if notes["prometheus.io/scrape"] != "true" || pod.Status.Phase != core.PodRunning || pod.Status.PodIP == "" || port == "" {
		return group{}, false
	}
	found := map[string]string{"namespace": pod.Namespace, "pod": pod.Name}
	for name, value := range pod.Labels {
		if name = unfit.ReplaceAllString(name, "_"); found[name] == "" {
			found[name] = value
		}
	}
	if path := notes["prometheus.io/path"]; path != "" {
		found["__metrics_path__"] = path
	}
	return group{Targets: []string{net.JoinHostPort(pod.Status.PodIP, port)}, Labels: found}, true
}

func run(kubeconfig, address string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	pods := factory.Core().V1().Pods().Lister()
	factory.Start(nil)
	return http.ListenAndServe(address, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		all, err := pods.List(labels.Everything())
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		groups := []group{}
		for _, pod := range all {
			if one, fits := target(pod); fits {
				groups = append(groups, one)
			}
		}
		answer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(answer).Encode(groups); err != nil {
			fmt.Fprintln(os.Stderr, "targets:", err)
		}
	}))
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: targets KUBECONFIG ADDRESS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "targets:", err)
		os.Exit(1)
	}
}
