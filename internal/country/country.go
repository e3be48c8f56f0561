package country

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed names.txt
var namesText string

// names are the names by code.
var names = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(namesText) {
		code, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[code] = name
	}
	return all
})

// Name returns the English name of a code, "" for one that is none.
func Name(code string) string {
	if len(code) != 2 {
		return ""
	}
	return names()[strings.ToUpper(code)]
}
