package main

import (
	"fmt"
	"io"
	"net"
	"strings"

	"millrace/cmd/internal/demo"
)

// greet prints what a newcomer wants to know: where to look, what to put into a page, and two commands to try.
func (n *node) greet(w io.Writer) {
	var b strings.Builder
	fmt.Fprintf(&b, "Millrace %s is running: %s. Everything is kept in %s.\n\n", version, strings.Join(n.flags.Roles, ", "), n.dir.Path())
	if n.front != nil {
		fmt.Fprintf(&b, "  beacons, questions   %s\n", n.front.url())
	}
	fmt.Fprintf(&b, "  metrics, health      http://%s\n", loopbackOf(n.admin.addr()))
	if n.front != nil && n.flags.has(roleCollect) {
		fmt.Fprint(&b, snippet(n.front.url(), n.exampleSite()))
		fmt.Fprint(&b, beaconCommand(n.front.url(), n.exampleSite(), n.flags.LoopbackTrust))
	}
	if n.front != nil && n.flags.has(roleQuery) {
		fmt.Fprint(&b, queryCommand(n.front.url(), n.exampleSite(), len(n.flags.QueryKeys) > 0))
		if n.flags.Demo {
			fmt.Fprintf(&b, "\nMade-up traffic goes to the sites %s.\n", strings.Join(demo.Sites(), ", "))
		}
	}
	fmt.Fprintln(&b)
	io.WriteString(w, b.String()) // a closed standard output is no reason to stop
}

// exampleSite is the site of the commands: one that is accepted.
func (n *node) exampleSite() string {
	sites, any, _ := n.flags.siteList(n.flags.Listen) // validated before
	switch {
	case n.flags.Demo && any:
		return demo.Sites()[0]
	case any:
		return "example.com"
	}
	return sites[0]
}

// snippet is what a web page needs. A string makes sendBeacon send text/plain, which needs no preflight request.
func snippet(url, site string) string {
	return fmt.Sprintf(`
In the pages of your site:

  <script>
    navigator.sendBeacon("%s/api/event", JSON.stringify(
      {n: "pageview", d: "%s", u: location.href, r: document.referrer}))
  </script>
`, url, site)
}

// beaconCommand sends a pageview as a site's own server would: a trusted sender's user agent, which is curl's here, says
// nothing about a bot. Where loopback is not trusted it goes as a browser.
func beaconCommand(url, site string, trusted bool) string {
	agent := ""
	if !trusted {
		agent = `-A 'Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0' `
	}
	return fmt.Sprintf(`
Send a pageview:

  curl -s %s%s/v1/events -H 'Content-Type: application/json' -d '{"site":"%s","name":"pageview","url":"https://%s/hello"}'
`, agent, url, site, site)
}

// queryCommand asks for today's numbers by page.
func queryCommand(url, site string, keyed bool) string {
	auth := ""
	if keyed {
		auth = ` -H 'Authorization: Bearer YOUR-KEY'`
	}
	return fmt.Sprintf(`
Ask for today's numbers, a few seconds later:

  curl -s %s/api/v2/query -H 'Content-Type: application/json'%s -d '{"site_id":"%s","metrics":["visitors","pageviews"],"date_range":"day","dimensions":["event:page"]}'
`, url, auth, site)
}

// loopbackOf is the address under which this machine reaches a listener.
func loopbackOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
