package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"millrace/cmd/internal/demo"
	"millrace/cmd/internal/roles"
	"millrace/cmd/internal/server"
	"millrace/internal/site"
)

// public names what comes to the public address.
func (c *serveCommand) public() string {
	switch {
	case !slices.Contains(c.Roles, roles.Query):
		return "beacons"
	case !slices.Contains(c.Roles, roles.Collect):
		return "questions"
	}
	return "beacons, questions"
}

// greet prints what a new user wants to know: where to look, what to put into a page, and two
// commands to try.
func (c *serveCommand) greet(w io.Writer, up server.Up, sites *site.Sites) {
	var b strings.Builder
	example := c.exampleSite(sites)
	fmt.Fprintf(&b, "Millrace %s is running: %s. Everything is kept in %s.\n\n", version, strings.Join(c.Roles, ", "), up.Data)
	if up.URL != "" {
		fmt.Fprintf(&b, "  %-20s %s\n", c.public(), up.URL)
	}
	if up.URL != "" && c.PublicURL != "" {
		fmt.Fprintf(&b, "  for browsers         %s\n", c.publicURL(up))
	}
	fmt.Fprintf(&b, "  metrics, health      %s\n", up.AdminURL)
	if up.URL != "" && slices.Contains(c.Roles, roles.Collect) {
		fmt.Fprint(&b, snippet(c.publicURL(up), example, c.ScriptPath, c.PublicURL == ""))
		// Through a proxy no client is trusted: the command goes as a browser.
		fmt.Fprint(&b, beaconCommand(c.commandURL(up, true), example, c.LoopbackTrust && c.PublicURL == ""))
	}
	if up.URL != "" && slices.Contains(c.Roles, roles.Query) {
		fmt.Fprint(&b, queryCommand(c.commandURL(up, len(c.QueryKeys) > 0), example, len(c.QueryKeys) > 0))
		if c.Demo {
			fmt.Fprintf(&b, "\nMade-up traffic goes to the sites %s", strings.Join(demo.Sites(), ", "))
			if !up.DemoPast {
				fmt.Fprint(&b, "; a month of their past follows within a minute")
			}
			fmt.Fprintln(&b, ".")
		}
	}
	fmt.Fprintln(&b)
	io.WriteString(w, b.String()) // a closed standard output is no reason to stop
}

// publicURL reads --public-url: without a slash at its end, "" for none. It goes into a page and
// into commands of a shell, so that little of what a URL may have is taken.
func publicURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", usagef("--public-url: want the address that browsers use, such as https://stats.example.com")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", usagef("--public-url: an address without a user, ? and #, such as https://stats.example.com")
	case !plainPath.MatchString(u.Host + u.Path):
		return "", usagef("--public-url: %q has characters that host and path of an address don't have", text)
	}
	return u.Scheme + "://" + strings.TrimRight(u.Host+u.Path, "/"), nil
}

var plainPath = regexp.MustCompile(`^[A-Za-z0-9._~/:\[\]-]+$`)

// publicURL is the address that a page's browser reaches this server by, as far as it is known:
// where it listens on all addresses, the machine's name stands for them.
func (c *serveCommand) publicURL(up server.Up) string {
	if public, _ := publicURL(c.PublicURL); public != "" { // validated before
		return public
	}
	host, port, err := net.SplitHostPort(up.Listen)
	if err != nil {
		return up.URL
	}
	asked, _, _ := net.SplitHostPort(c.Listen)
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		if asked != "" && net.ParseIP(asked) == nil {
			host = asked // a name, as it was given
		}
		return scheme + "://" + net.JoinHostPort(host, port)
	}
	name, err := os.Hostname()
	if err != nil || !plainPath.MatchString(name) {
		return up.URL
	}
	return scheme + "://" + net.JoinHostPort(name, port)
}

// commandURL is the address for a command: the public one, if there is one and it may be used
// there, else that of this machine.
func (c *serveCommand) commandURL(up server.Up, public bool) string {
	if public && c.PublicURL != "" {
		return c.publicURL(up)
	}
	return up.URL
}

// exampleSite is the site of the commands: one that is accepted.
func (c *serveCommand) exampleSite(sites *site.Sites) string {
	switch {
	case c.Demo && sites.Any:
		return demo.Sites()[0]
	case sites.Any:
		return "example.com"
	}
	return sites.Named()[0].ID
}

// scriptPath is where the page script is served, unless --script-path has another place.
const scriptPath = "/js/script.js"

// snippet is what a web page needs. If the address is a guess, what to do about it stands above.
// The script finds /api/event at ../api/event from its own address; where it is not there, the
// snippet names it.
func snippet(url, site, script string, guessed bool) string {
	hint := ""
	if guessed {
		hint = " (if browsers reach this server under another address, say so with --public-url)"
	}
	script = cmp.Or(script, scriptPath)
	api := ""
	if strings.Count(script, "/") != 2 {
		api = fmt.Sprintf(` data-api="%s/api/event"`, url)
	}
	return fmt.Sprintf(`
In the pages of your site%s:

  <script defer data-domain="%s"%s src="%s%s"></script>
`, hint, site, api, url, script)
}

// beaconCommand sends a pageview as a site's own server would: a trusted sender's user agent,
// which is curl's here, says nothing about a bot. Where loopback is not trusted it goes as a
// browser.
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

// queryCommand queries today's numbers by page.
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
