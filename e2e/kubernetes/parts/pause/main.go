// pause does nothing for as long as it is let: it holds the namespaces of a pod, and of the node itself. As the first
// process of a process namespace it collects the orphans there.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for got := range signals {
		if got != syscall.SIGCHLD {
			return
		}
		for {
			if id, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil || id <= 0 {
				break
			}
		}
	}
}
