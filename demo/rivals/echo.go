// Echo server, a goroutine per connection, with the standard library alone.
//
//	echo_go PORT
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func echo(connection net.Conn) {
	defer connection.Close()
	buf := make([]byte, 4096)
	for {
		n, err := connection.Read(buf)
		if n > 0 {
			if _, err := connection.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s PORT\n", os.Args[0])
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			// Out of descriptors, perhaps: connections that end free some.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go echo(connection)
	}
}
