package suggest

import (
	"slices"
	"strings"
)

// Nearest returns those names that may have been meant by word, at most three: those that differ by
// the fewest letters, or, where none is close, those that begin with it or end in it.
func Nearest(word string, names []string) []string {
	least := min(max(1, (len(word)+1)/3), 3) // letters that may differ
	var close []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		switch d := distance(word, name); {
		case d > least:
		case d < least:
			least, close = d, []string{name}
		case !slices.Contains(close, name):
			close = append(close, name)
		}
	}
	if len(close) == 0 && len(word) >= 3 {
		for _, name := range slices.Sorted(slices.Values(names)) {
			if strings.HasPrefix(name, word) || strings.HasSuffix(name, "-"+word) {
				close = append(close, name)
			}
		}
		close = slices.Compact(close)
	}
	return close[:min(len(close), 3)]
}

// distance is how many letters have to be put in, left out, replaced or swapped with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// DidYouMean returns ", did you mean …?" with each name as it is to be written, or "".
func DidYouMean(names []string, write func(name string) string) string {
	if len(names) == 0 {
		return ""
	}
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = write(name)
	}
	return ", did you mean " + strings.Join(texts, " or ") + "?"
}
