package all_test

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/ingest"
	"millrace/ingest/protocol"
	"millrace/internal/site"
)

// client is where requests come from unless a script names another address.
const client = "203.0.113.77"

// play plays the scripts of a folder against a collector that speaks the given protocols.
func play(t *testing.T, dir string, list ...protocol.Protocol) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		if !strings.HasSuffix(path, ".txt") {
			return // what fuzzing has found
		}
		p := &player{protocols: list}
		t.Cleanup(func() { p.close(t) })
		datadriven.RunTest(t, path, p.run)
	})
}

// player is the state of a script that is played.
type player struct {
	protocols []protocol.Protocol
	site      *installation // nil before the first directive
}

func (p *player) run(t *testing.T, d *datadriven.TestData) string {
	if d.Cmd == "open" {
		p.close(t)
		p.site = open(t, p.options(t, d))
		return ""
	}
	if p.site == nil {
		p.site = open(t, ingest.Options{Protocols: p.protocols})
	}
	switch d.Cmd {
	case "request":
		return p.request(t, d)
	case "each":
		return p.each(t, d)
	}
	d.Fatalf(t, "unknown directive %q", d.Cmd)
	return ""
}

func (p *player) close(t *testing.T) {
	if p.site != nil {
		p.site.close(t)
		p.site = nil
	}
}

// options reads the arguments of open.
func (p *player) options(t *testing.T, d *datadriven.TestData) ingest.Options {
	o := ingest.Options{Protocols: p.protocols}
	of := func(id string) *site.Site {
		i := slices.IndexFunc(o.Sites, func(s site.Site) bool { return s.ID == id })
		if i < 0 {
			d.Fatalf(t, "%s is not among sites", id)
		}
		return &o.Sites[i]
	}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "sites":
			for _, id := range arg.Vals {
				o.Sites = append(o.Sites, site.Site{ID: id})
			}
		case "any":
			o.AnySite = true
		case "dnt":
			for _, id := range arg.Vals {
				of(id).HonourDNT = true
			}
		case "tokens":
			for _, pair := range arg.Vals {
				id, token, _ := strings.Cut(pair, ":")
				of(id).Tokens = append(of(id).Tokens, token)
			}
		case "keys":
			var keys []site.Key
			for _, text := range arg.Vals {
				key, sites, some := strings.Cut(text, "@")
				k := site.Key{Hash: sha256.Sum256([]byte(key))}
				if some {
					k.Sites = strings.Split(sites, "+")
				}
				keys = append(keys, k)
			}
			o.WriteKeys = site.NewKeys(keys...)
		case "proxies":
			for _, network := range arg.Vals {
				o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(network))
			}
		case "country-header":
			o.CountryHeader = arg.SingleVal(t)
		case "site-rate":
			rate, err := strconv.ParseFloat(arg.SingleVal(t), 64)
			if err != nil {
				d.Fatalf(t, "site-rate: %v", err)
			}
			o.SiteRate = rate
		default:
			d.Fatalf(t, "unknown argument %q", arg.Key)
		}
	}
	return o
}

// request sends the input as it is.
func (p *player) request(t *testing.T, d *datadriven.TestData) string {
	from, pack := client, ""
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "pack", &pack)
	head, body, _ := strings.Cut(d.Input, "\n\n")
	if pack != "" {
		body = packed(t, pack, body)
	}
	out := p.site.exchange(t, from, strings.Split(head, "\n"), body)
	return out.whole()
}

// each sends each line of the input.
func (p *player) each(t *testing.T, d *datadriven.TestData) string {
	if len(d.CmdArgs) < 2 {
		d.Fatalf(t, "each METHOD PATH")
	}
	method, from := d.CmdArgs[0].Key, client
	path := d.CmdArgs[1].Key
	for _, value := range d.CmdArgs[1].Vals { // of its query
		path += "=" + value
	}
	headers := []string{"User-Agent: " + userAgent}
	for _, arg := range d.CmdArgs[2:] {
		switch arg.Key {
		case "from":
			from = arg.SingleVal(t)
		case "header":
			headers = append(headers, strings.Join(arg.Vals, ", "))
		default:
			d.Fatalf(t, "unknown argument %q", arg.Key)
		}
	}
	host := "stats.example"
	if netip.MustParseAddr(from).IsLoopback() {
		host = "localhost:8080"
	}
	headers = append(headers, "Host: "+host)
	var out strings.Builder
	for line := range strings.SplitSeq(d.Input, "\n") {
		target, body := path, line
		if method == "GET" {
			target, body = path+"?"+line, ""
		}
		o := p.site.exchange(t, from, append([]string{method + " " + target + " HTTP/1.1"}, headers...), body)
		out.WriteString(o.brief())
	}
	return out.String()
}

// userAgent is that of a browser.
const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
