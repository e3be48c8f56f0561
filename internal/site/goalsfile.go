package site

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/internal/strictjson"
)

// Limits of a file of goals.
const (
	// MaxGoals is the greatest number of goals of one site: each event is held against each pattern
	// of its site.
	MaxGoals = 100
	// maxGoalsBytes is the longest file.
	maxGoalsBytes = 64 << 20
)

// ErrGoals is wrapped by every error about the content of a file of goals.
var ErrGoals = errors.New("goals")

// ParseGoals reads the goals of all sites: a JSON object of lists by site id. In place of a list
// may stand an object with that list and the site's currency. Of each Site it sets ID, Goals and
// Currency.
//
//	{
//	  "blog.example.com": [
//	    {"name": "Read the blog", "page": "/blog/**"}
//	  ],
//	  "shop.example.com": {
//	    "currency": "EUR",
//	    "goals": [{"name": "Order", "event": "purchase"}]
//	  }
//	}
//
// Each goal has a name and either event or page, see [Goal]. Unknown fields, fields and sites that
// are there twice, goals that no event can reach and more than MaxGoals of a site are errors. An
// error names line and place, as in "goals: line 4: shop.example.com[1].page: ...", and wraps
// ErrGoals, or the error of reading.
func ParseGoals(r io.Reader) ([]Site, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxGoalsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read goals: %w", err)
	}
	p := &goalsParser{input: text, dec: json.NewDecoder(bytes.NewReader(text))}
	if len(text) > maxGoalsBytes {
		return nil, fmt.Errorf("%w: longer than %d MB", ErrGoals, maxGoalsBytes>>20)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: not valid UTF-8", ErrGoals)
	}
	if err := p.file(); err != nil {
		return nil, err
	}
	// What the decoder lets pass: half of a surrogate pair, of which it makes another character.
	if err := new(strictjson.Error); errors.As(strictjson.Check(text), &err) {
		return nil, fmt.Errorf("%w: line %d: not JSON: %s", ErrGoals, 1+bytes.Count(text[:err.Pos], []byte{'\n'}), err.Msg)
	}
	return p.sites, nil
}

// goalsParser walks over the tokens, so that each error knows its line.
type goalsParser struct {
	input []byte
	dec   *json.Decoder
	path  string // of the value at hand
	sites []Site
}

// fail returns an error at the token that was read last.
func (p *goalsParser) fail(format string, args ...any) error {
	line := 1 + bytes.Count(p.input[:p.dec.InputOffset()], []byte{'\n'})
	where := fmt.Sprintf("line %d: ", line)
	if p.path != "" {
		where += p.path + ": "
	}
	return fmt.Errorf("%w: %s%w", ErrGoals, where, fmt.Errorf(format, args...))
}

func (p *goalsParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == io.EOF {
		return nil, p.fail("the file ends too early")
	}
	if err != nil {
		return nil, p.fail("not JSON: %v", err)
	}
	return t, nil
}

// object calls field for each field of an object, with path set to it.
func (p *goalsParser) object(want, dot string, field func(key string) error) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return p.fail("want %s, this is %s", want, tokenName(t))
	}
	return p.fields(dot, field)
}

// fields is object behind the bracket.
func (p *goalsParser) fields(dot string, field func(key string) error) error {
	outer := p.path
	seen := make(map[string]bool)
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		key := t.(string) // within an object a Decoder gives no other token for a key
		p.path = outer + dot + key
		if seen[key] {
			return p.fail("is there twice")
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
		p.path = outer
	}
	_, err := p.token()
	return err
}

func (p *goalsParser) file() error {
	err := p.object("an object of goals by site", "", func(site string) error {
		if err := event.ValidSite(site); err != nil {
			return p.fail("no site id: 1 to 253 of a-z 0-9 . -")
		}
		s, err := p.site()
		s.ID = site
		p.sites = append(p.sites, s)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return p.fail("something follows the object of sites")
	}
	return nil
}

func (p *goalsParser) site() (s Site, err error) {
	t, err := p.token()
	if err != nil {
		return s, err
	}
	if t != json.Delim('{') {
		err = p.list(&s, t, "a list of goals, or an object with currency and goals")
		return s, err
	}
	err = p.fields(".", func(key string) error {
		t, err := p.token()
		if err != nil {
			return err
		}
		switch key {
		case "goals":
			return p.list(&s, t, "a list of goals")
		case "currency":
			s.Currency, _ = t.(string)
			if !event.ValidCurrency(s.Currency) {
				return p.fail("want an ISO 4217 code of three capitals, this is %s", tokenName(t))
			}
			return nil
		}
		if key == "revenue" {
			return p.fail("unknown field; a site that takes revenue in one currency names that: \"currency\":\"EUR\"")
		}
		return p.fail("unknown field; a site has currency and goals")
	})
	return s, err
}

// list reads the goals of a list whose first token is t.
func (p *goalsParser) list(s *Site, t json.Token, want string) error {
	if t != json.Delim('[') {
		return p.fail("want %s, this is %s", want, tokenName(t))
	}
	outer := p.path
	for n := 0; p.dec.More(); n++ {
		p.path = fmt.Sprintf("%s[%d]", outer, n)
		if n == MaxGoals {
			return p.fail("a site has at most %d goals", MaxGoals)
		}
		if err := p.goal(s); err != nil {
			return err
		}
	}
	p.path = outer
	_, err := p.token()
	return err
}

func (p *goalsParser) goal(s *Site) error {
	var g Goal
	err := p.object("a goal such as {\"name\":\"Order\",\"event\":\"purchase\"}", ".", func(key string) error {
		switch key {
		case "name":
			return p.value(&g.Name)
		case "event":
			return p.value(&g.Event)
		case "page":
			return p.page(&g)
		}
		if key == "revenue" || key == "currency" || key == "value" {
			return p.fail("unknown field; revenue comes with the event, {\"amount\":12.5,\"currency\":\"EUR\"}, and a site's currency is beside its goals: {\"currency\":\"EUR\",\"goals\":[…]}")
		}
		return p.fail("unknown field; a goal has name, and event or page")
	})
	if err != nil {
		return err
	}
	if err := g.check(); err != nil {
		return p.fail("%w", err)
	}
	s.Goals = append(s.Goals, g)
	return nil
}

// text reads a string that is not empty.
func (p *goalsParser) text() (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	v, ok := t.(string)
	if !ok {
		return "", p.fail("want a string, this is %s", tokenName(t))
	}
	if v == "" {
		return "", p.fail("is empty")
	}
	return v, nil
}

// value reads a string that a row's dimension can have.
func (p *goalsParser) value(to *string) error {
	v, err := p.text()
	if err != nil {
		return err
	}
	if *to, err = goalValue(v); err != nil {
		return p.fail("%w", err)
	}
	return nil
}

// page reads a page, and compiles it if it has a wildcard.
func (p *goalsParser) page(g *Goal) (err error) {
	if g.Page, err = p.text(); err != nil {
		return err
	}
	if err = g.setPage(g.Page); err != nil {
		return p.fail("%w", err)
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func tokenName(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case json.Delim:
		if t == '[' {
			return "a list"
		}
		return "an object"
	case string:
		return fmt.Sprintf("the string %.60q", t)
	}
	return fmt.Sprint(t) // true, false or a number
}
