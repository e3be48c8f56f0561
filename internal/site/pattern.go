package site

import (
	"errors"
	"fmt"
	"strings"

	"millrace/engine/window"
	"millrace/internal/spelling"
)

// A Pattern matches pages: "*" stands for any characters but slashes, also none; "**" for any
// characters at all; every other byte for itself.
//
// What stands before the first wildcard and behind the last one is compared as it is, which refuses
// nearly every page at once. The part between is a non-deterministic automaton of at most 64 states
// in the bits of a word, so that a page costs a few instructions a byte, whatever the pattern and
// the page are: there is nothing to go back to.
type Pattern struct {
	before, behind string
	// The bits are the tokens between, first wildcard to last; a set of states is a set of tokens
	// that may come next.
	any, segment uint64 // tokens that are "**", "*"
	end          uint64 // the state behind the last token
	class        *[256]uint8
	literal      []uint64 // by class: tokens that are this byte
}

// maxTokens is the greatest number of wildcards and bytes between the first wildcard and the last.
const maxTokens = 63

const wildcard = "*"

// newPattern compiles a pattern that has a wildcard.
func newPattern(s string) (*Pattern, error) {
	first, last := strings.Index(s, wildcard), strings.LastIndex(s, wildcard)+1
	p := &Pattern{before: s[:first], behind: s[last:], literal: make([]uint64, 1)}
	n := 0
	for mid := s[first:last]; mid != ""; n++ {
		if n == maxTokens {
			return nil, fmt.Errorf("has more than %d characters between its first and its last wildcard", maxTokens)
		}
		stars := len(mid) - len(strings.TrimLeft(mid, wildcard))
		switch stars {
		case 0:
			p.addLiteral(mid[0], n)
			mid = mid[1:]
		case 1:
			p.segment |= 1 << n
			mid = mid[1:]
		case 2:
			p.any |= 1 << n
			mid = mid[2:]
		default:
			return nil, errors.New("has three stars in a row: * stands for a part of a segment, ** for anything")
		}
	}
	p.end = 1 << n
	return p, nil
}

func (p *Pattern) addLiteral(b byte, token int) {
	if p.class == nil {
		p.class = new([256]uint8)
	}
	if p.class[b] == 0 {
		p.class[b] = uint8(len(p.literal))
		p.literal = append(p.literal, 0)
	}
	p.literal[p.class[b]] |= 1 << token
}

// Matches reports whether the pattern matches a page.
func (p *Pattern) Matches(page string) bool {
	if len(page) < len(p.before)+len(p.behind) || !strings.HasPrefix(page, p.before) || !strings.HasSuffix(page, p.behind) {
		return false
	}
	mid := page[len(p.before) : len(page)-len(p.behind)]
	if p.class == nil { // one wildcard alone
		return p.any != 0 || strings.IndexByte(mid, '/') < 0
	}
	wild := p.any | p.segment
	states := uint64(1)
	states |= states & wild << 1 // a wildcard may stand for nothing, and no two are neighbours
	for i := 0; i < len(mid); i++ {
		stay := p.any
		if mid[i] != '/' {
			stay |= p.segment
		}
		states = states&stay | states&p.literal[p.class[mid[i]]]<<1
		if states == 0 {
			return false
		}
		states |= states & wild << 1
	}
	return states&p.end != 0
}

// checkPage returns what is wrong with a page or a pattern of pages.
func checkPage(s string) error {
	switch {
	case s[0] != '/' && s[0] != '*' && s[0] != '\\':
		return errors.New(`does not begin with "/" or "*": it is matched with the path alone, without scheme, host and query`)
	case strings.Contains(s, "?"), strings.Index(s, "#") == len(s)-1:
		// "/app#about" is a page of a site whose pages differ by the fragment (Event.HashRoute).
		return errors.New(`has a "?", or ends in "#", which no page does: it is matched with the path, without the query`)
	case strings.Trim(s, " ") != s || hasControl(s) || len(spelling.Path(s)) > window.MaxValueLen:
		return fmt.Errorf("has control characters or spaces at its ends, or more than %d bytes", window.MaxValueLen)
	}
	return nil
}

// Page is a page, or a pattern of pages.
type Page struct {
	// Path is in the spelling that rows have.
	Path string
	// Pattern is the compiled Path; nil if it has no wildcard.
	Pattern *Pattern
}

// Matches reports whether a page in the spelling that rows have is meant.
func (p *Page) Matches(page string) bool {
	if p.Pattern != nil {
		return p.Pattern.Matches(page)
	}
	return p.Path == page
}

// parsePage reads a page or a pattern of pages. The error is what is wrong with it.
func parsePage(text string) (Page, error) {
	if err := checkPage(text); err != nil {
		return Page{}, err
	}
	return compilePage(spelling.Path(text))
}

// compilePage returns the page of a path that is spelled.
func compilePage(path string) (p Page, err error) {
	p.Path = path
	if strings.Contains(path, wildcard) {
		p.Pattern, err = newPattern(path)
	}
	return p, err
}
