package enrich

import (
	"cmp"
	"slices"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/spelling"
)

// Classes of screens by their width in CSS pixels: the bounds that Plausible uses, Bootstrap's for the first two.
const (
	mobileWidth = 576
	tabletWidth = 992
	laptopWidth = 1440
)

// maxScreenDigits is how many digits a width may have.
const maxScreenDigits = 6

// screen returns the class of "WIDTHxHEIGHT", None for what is no such thing or has the width 0.
func screen(s string) string {
	width, i := 0, 0
	for i < len(s) && i < maxScreenDigits && isDigit(s[i]) {
		width = 10*width + int(s[i]-'0')
		i++
	}
	switch {
	case width == 0 || i == len(s) || s[i] != 'x':
		return window.None
	case width < mobileWidth:
		return "Mobile"
	case width < tabletWidth:
		return "Tablet"
	case width < laptopWidth:
		return "Laptop"
	}
	return "Desktop"
}

// MaxProps is the greatest number of an event's custom properties that are counted: the first by their keys.
const MaxProps = 30

// props returns properties clean, sorted and with distinct keys: p itself, which is nearly always so. Of keys that
// become equal the first counts; one that becomes empty is left out.
func props(p []event.Prop) []event.Prop {
	if len(p) == 0 {
		return nil
	}
	for i := range p {
		if cleanKey(p[i].Key) != p[i].Key || p[i].Key == "" || value(p[i].Value) != p[i].Value || i > 0 && p[i].Key <= p[i-1].Key {
			return mendProps(p)
		}
	}
	n := min(len(p), MaxProps)
	return p[:n:n]
}

func mendProps(p []event.Prop) []event.Prop {
	mended := make([]event.Prop, 0, len(p))
	for i := range p {
		if key := cleanKey(p[i].Key); key != "" {
			mended = append(mended, event.Prop{Key: key, Value: value(p[i].Value)})
		}
	}
	slices.SortStableFunc(mended, func(a, b event.Prop) int { return cmp.Compare(a.Key, b.Key) })
	mended = slices.CompactFunc(mended, func(a, b event.Prop) bool { return a.Key == b.Key })
	return mended[:min(len(mended), MaxProps)]
}

// cleanKey is spelling.Value, but a key of which nothing is left is "".
func cleanKey(key string) string {
	if strings.Trim(key, " ") == "" {
		return ""
	}
	if c := spelling.Value(key); c != window.None || key == window.None {
		return c
	}
	return ""
}
