package site

import (
	"errors"
	"fmt"

	"millrace/engine/window"
	"millrace/internal/spelling"
)

// Goal is something that a site wants its visitors to do.
type Goal struct {
	// Name is what reports call it. Goals of one site that have the same name are one goal, reached
	// in several ways.
	Name string
	// Event is the name of the events that reach it, Page the path of the pages whose views do;
	// exactly one is set. In Page "*" stands for any characters but slashes and "**" for any
	// characters, both also for none.
	Event, Page string
	// Pattern is the compiled Page; nil if it has no wildcard.
	Pattern *Pattern
}

// check returns what is wrong with a goal that was read.
func (g *Goal) check() error {
	switch {
	case g.Name == "":
		return errors.New("has no name")
	case g.Event == "" && g.Page == "":
		return errors.New("has neither event nor page")
	case g.Event != "" && g.Page != "":
		return errors.New("has event and page; make it two goals of the same name if both reach it")
	}
	return nil
}

// setPage sets Page in the spelling that rows have, and Pattern if it has a wildcard.
func (g *Goal) setPage(text string) error {
	p, err := parsePage(text)
	if err != nil {
		return fmt.Errorf("%.60q %w", text, err)
	}
	g.Page, g.Pattern = p.Path, p.Pattern
	return nil
}

// goalValue returns a name in the spelling that rows have, if a row's dimension can have it.
func goalValue(text string) (string, error) {
	if text != window.Literal(text) {
		return "", fmt.Errorf("%s means something else in reports", text)
	}
	v := spelling.Value(text)
	if len(v) != len(spelling.Part(text)) || hasControl(text) {
		return "", fmt.Errorf("%.60q has control characters or spaces at its ends, or more than %d bytes", text, window.MaxValueLen)
	}
	return v, nil
}
