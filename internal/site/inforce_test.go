package site

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestInForce: what is counted by stays as it was at the start, everything else is as the file has it.
func TestInForce(t *testing.T) {
	dir := t.TempDir()
	read := func(text string) *Sites {
		t.Helper()
		return mustRead(t, Config{File: mustWriteFile(t, filepath.Join(dir, "s.yaml"), text)})
	}
	const order, read2 = "{name: Order, event: purchase}", "{name: Read, page: /b/**}"
	start := read("sites:\n  a.example: {shards: 4, goals: [" + order + "]}\n  b.example: {currency: EUR, shards: 2}\n  c.example: {}\n")
	f := func(text string, named string, waiting ...string) *Sites {
		t.Helper()
		next := read(text)
		now, got := start.InForce(next)
		if !slices.Equal(got, waiting) || ids(now.Named()) != named || now.Any != next.Any {
			t.Errorf("%q: %q waits, want %q; named %s, want %s", text, got, waiting, ids(now.Named()), named)
		}
		return now
	}
	f("sites:\n  a.example: {shards: 4, goals: ["+order+"]}\n  b.example: {currency: EUR, shards: 2}\n  c.example: {shards: 1}\n",
		"a.example,b.example,c.example")
	now := f("sites:\n  d.example: {shards: 8, goals: ["+order+"], time_zone: Asia/Tokyo}\n  a.example: {shards: 5, goals: ["+read2+"], aliases: [7]}\n",
		"d.example,a.example", "shards of b.example", "currency of b.example", "shards of d.example", "goals of d.example",
		"shards of a.example", "goals of a.example")
	d, a := now.Named()[0], now.Named()[1]
	if d.parts() != 1 || len(d.Goals) > 0 || d.TimeZone.String() != "Asia/Tokyo" {
		t.Errorf("%+v", d)
	}
	if a.Shards != 4 || a.Goals[0].Name != "Order" || !slices.Equal(a.Tokens, []string{"7"}) {
		t.Errorf("%+v", a)
	}
	// Where any site is taken, those that were spread stay so.
	now = f("any_site: true\ndefaults: {honour_dnt: true}\n", "a.example,b.example",
		"shards of a.example", "goals of a.example", "shards of b.example", "currency of b.example")
	if a := now.Of("a.example"); a.Shards != 4 || !a.HonourDNT {
		t.Errorf("%+v", a)
	}
	// What is one page and who is a bot wait, too; who may send does not.
	now = f("defaults: {bots: count}\nsites:\n  a.example: {shards: 4, goals: ["+order+"], bots: apart, hostnames: [x.example]}\n"+
		"  b.example: {currency: EUR, shards: 2, bots: apart, spelling: {case: lower}}\n  c.example: {}\n",
		"a.example,b.example,c.example", "spelling of b.example", "bots of c.example", "bots of defaults")
	a = now.Of("a.example")
	if b := now.Of("b.example"); b.Spelling.Lower || now.Of("c.example").Bots != BotsApart || now.Default.Bots != BotsApart || a.TakesHost("y.example") {
		t.Errorf("%+v", b)
	}
	// The start's own are not changed.
	if ids(start.Named()) != "a.example,b.example,c.example" || start.Of("a.example").Shards != 4 || start.Any {
		t.Errorf("%+v", start)
	}
}
