// A Go program that knows nothing of Weft: asks the URL by net/http, and the system's name servers by Go's own resolver.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	reply, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	addresses, err := net.LookupHost(reply.Request.URL.Hostname())
	fmt.Println(reply.StatusCode, len(body) > 0, len(addresses) > 0, err)
}
