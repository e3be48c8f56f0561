package hostport

import (
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	f := func(addr, want string) {
		t.Helper()
		got := ""
		if err := Listen("--listen", addr, "8080"); err != nil {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
	for _, good := range []string{":8080", "127.0.0.1:0", "[::1]:8080", "[::]:80", "[fe80::1%eth0]:80", "localhost:http", "shop.example.com:65535"} {
		f(good, "")
	}
	f("", "is not HOST:PORT")
	f(":", "is not HOST:PORT")
	f("8080", "write :8080")
	f("0.0.0.0", "write 0.0.0.0:8080")
	f("[::1]", "write [::1]:8080")
	f("[::1", "is not HOST:PORT")
	f("::1", "brackets: [::1]:8080")
	f("::", "brackets: [::]:8080")
	f(":::8080", "brackets: [::]:8080")
	f("::1:8080", "brackets: [::1]:8080")
	f("2001:db8::1:8080", "brackets: [2001:db8::1]:8080")
	f("2001:db8::12", "brackets: [2001:db8::12]:8080")
	f("http://localhost", "is a URL; write localhost:8080")
	f("https://localhost:443/path", "is a URL; write localhost:443")
	f("unix:///run/x.sock", "is a URL")
	f("localhost:", "is not HOST:PORT")
	f("localhost:99999", "there is no port 99999")
	f("localhost:nonsense", `port "nonsense" is no number`)
	f("a:b:c", "is not HOST:PORT")
	f("256.1.1.1:80", `"256.1.1.1" is no IP address`)
	f("1.2.3:80", `"1.2.3" is no IP address`)
	f("[zz]:80", `"zz" is no IP address`)
	f("1.example:80", "")
	f("u:hush@localhost:80", "write localhost:80")
}
