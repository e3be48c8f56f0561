package site

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCountedBy(t *testing.T) {
	of := func(text string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "sites.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Read(Config{File: file, SkipKeyFiles: true})
		if err != nil {
			t.Fatal(err)
		}
		return s.CountedBy()
	}
	const goals = "    goals:\n      - {name: Signup, event: signup}\n      - {name: Thanks, page: /thanks*}\n"
	const one = "sites:\n  a.example:\n" + goals
	same := func(text string) {
		t.Helper()
		if of(text) != of(one) {
			t.Errorf("another digest of %s", text)
		}
	}
	other := func(text string) {
		t.Helper()
		if of(text) == of(one) {
			t.Errorf("the same digest of %s", text)
		}
	}
	same("sites:\n  a.example:\n    time_zone: Europe/Berlin\n    goals:\n      - {name: Thanks, page: /thanks*}\n      - {name: Signup, event: signup}\n")
	same(one + "  plain.example:\n    time_zone: Asia/Tokyo\n")
	other("sites:\n  a.example:\n    goals:\n      - {name: Signup, event: signup}\n")
	other("sites:\n  b.example:\n" + goals)
	other(one + "    currency: EUR\n")
	other(one + "  b.example:\n    bots: count\n")
	other(one + "  b.example:\n    bots: drop\n")
	same(one + "  b.example:\n    bots: apart\n")
	other(one + "defaults:\n  spelling: {case: lower}\n")
}
